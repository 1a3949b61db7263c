/**
 * Keeps what was bundled from one start to the next, because bundling is a third of what a start costs. It lies beside the code that
 * Node keeps compiled, where whoever can write has our process anyway; where Node keeps none, nothing is kept. A bundle is
 * taken again only if it would be made in the same way, from files that all have the same bytes.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { getCompileCacheDir } from 'node:module';
import { join } from 'node:path';
import { z } from 'zod';

/** A text, and the absolute paths of all files that it was made from. */
export type Bundle = { text: string; inputs: string[] };

const keptSchema = z.strictObject({
  way: z.string(),
  inputs: z.record(z.string(), z.string()),
  text: z.string(),
});

/**
 * The text of the bundle of this name, which is made if none is kept that was made in this way. Its files are read at once, which for
 * hundreds of small ones takes 20 ms: to wait for each takes turns, of which a process that reads its own code meanwhile has few.
 */
export async function keptBundle(name: string, way: string, make: () => Promise<Bundle>): Promise<string> {
  const folder = getCompileCacheDir();
  if (folder === undefined) return (await make()).text;
  const path = join(folder, `bundle-${digestOf(name)}.json`);
  const kept = read(path);
  if (kept?.way === digestOf(way) && areAsBefore(kept.inputs)) return kept.text;
  const { text, inputs } = await make();
  const digests = Object.fromEntries(inputs.map((input) => [input, digestOf(readFileSync(input))]));
  await write(path, JSON.stringify({ way: digestOf(way), inputs: digests, text }));
  return text;
}

function read(path: string): z.infer<typeof keptSchema> | undefined {
  try {
    return keptSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    // There is none, or it is of another version.
    return undefined;
  }
}

function areAsBefore(inputs: Record<string, string>): boolean {
  const entries = Object.entries(inputs);
  try {
    return entries.length > 0 && entries.every(([input, digest]) => digestOf(readFileSync(input)) === digest);
  } catch {
    return false;
  }
}

/** Whole or not at all: others may be reading it. It can be made again, so that it matters little if it is not kept. */
async function write(path: string, text: string): Promise<void> {
  const partial = `${path}.${process.pid}`;
  await writeFile(partial, text, { mode: 0o600 })
    .then(() => rename(partial, path))
    .catch(() => {});
}

function digestOf(bytes: string | Uint8Array): string {
  return hash('sha256', bytes);
}
