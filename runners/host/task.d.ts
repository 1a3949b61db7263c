/** The task that a host is bundled with: `bundle.ts` puts a module of this form in its place. */
declare module '#task' {
  /** Loads what the task needs ahead of the first job. */
  export function warm(isolateMb: number): void;
  /** Does a job: says `loading` before anything foreign is touched, then one answer after the other. */
  export function run(job: unknown, outbox: import('./outbox.ts').Outbox): void | Promise<void>;
}
