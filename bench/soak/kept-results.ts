/** What the parts of a soak came to, kept in a file where one is named: a whole soak takes longer than most sittings. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import type { Part } from './part.ts';
import type { Result } from './report.ts';

const resultSchema = z.object({
  faults: z.number(),
  tally: z.object({
    accepted: z.number(),
    merged: z.number(),
    red: z.number(),
    indeterminate: z.number(),
    lost: z.number(),
    duplicate: z.number(),
    wrong: z.number(),
    falseGreens: z.number(),
  }),
  notes: z.array(z.string()),
  broken: z.array(z.string()),
  seconds: z.number(),
  processesLeft: z.number(),
});
const fileSchema = z.object({
  commit: z.string(),
  scale: z.number(),
  parts: z.record(z.string(), resultSchema),
});

export class KeptResults {
  readonly #path: string | undefined;
  readonly #kept: z.infer<typeof fileSchema>;

  /** Throws where the file is of another commit or another scale: what is told together was measured alike. */
  constructor(path: string | undefined, { commit, scale }: { commit: string; scale: number }) {
    this.#path = path;
    this.#kept =
      path !== undefined && existsSync(path)
        ? fileSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
        : { commit, scale, parts: {} };
    if (this.#kept.commit !== commit || this.#kept.scale !== scale)
      throw new Error(
        `${path} is of commit ${this.#kept.commit} and scale ${this.#kept.scale}: name another file`,
      );
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#kept.parts, name);
  }

  add({ part, ...result }: Result): void {
    this.#kept.parts[part.name] = result;
    if (this.#path !== undefined) writeFileSync(this.#path, JSON.stringify(this.#kept, null, 2));
  }

  /** In the order of the parts. */
  of(parts: Part[]): Result[] {
    return parts.flatMap((part) => {
      const result = this.#kept.parts[part.name];
      return result === undefined ? [] : [{ part, ...result }];
    });
  }
}
