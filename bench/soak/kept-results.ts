/** What the parts of a soak came to, kept in a file where one is named: a whole soak takes longer than most sittings. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import type { Part } from './part.ts';
import type { Result } from './report.ts';
import { tallySchema } from './traffic.ts';

const resultSchema = z.object({
  faults: z.number(),
  tally: tallySchema,
  notes: z.array(z.string()),
  broken: z.array(z.string()),
  seconds: z.number(),
  processesLeft: z.number(),
  commit: z.string(),
});
const fileSchema = z.record(z.string(), resultSchema);

export class KeptResults {
  readonly #path: string | undefined;
  readonly #kept: z.infer<typeof fileSchema>;

  constructor(path: string | undefined) {
    this.#path = path;
    const isThere = path !== undefined && existsSync(path);
    this.#kept = isThere ? fileSchema.parse(JSON.parse(readFileSync(path, 'utf8'))) : {};
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#kept, name);
  }

  add({ part, ...result }: Result): void {
    this.#kept[part.name] = result;
    if (this.#path !== undefined) writeFileSync(this.#path, JSON.stringify(this.#kept, null, 2));
  }

  /** In the order of the parts. */
  of(parts: Part[]): Result[] {
    return parts.flatMap((part) => {
      const result = this.#kept[part.name];
      return result === undefined ? [] : [{ part, ...result }];
    });
  }
}
