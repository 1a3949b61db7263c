/** The task that a host is bundled with: `bundle.ts` puts a module of this form in its place. */
declare module '#task' {
  export function warm(isolateMb: number): void;
  export function run(job: unknown): unknown;
}
