/** What was bundled is taken again by the next start, and never instead of what would be bundled now. */
import { randomUUID } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { getCompileCacheDir } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keptBundle } from '../runners/kept-bundles.ts';
import { temporaryFolder } from './temporary-folder.ts';

let folder: string;
let input: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  input = join(folder, 'input.ts');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Asks for a bundle as the next start does; what is made tells how often one was made. */
function startsWith(name: string) {
  let made = 0;
  return async (way = 'plain') => {
    const text = await keptBundle(name, way, async () => ({ text: `${++made}`, inputs: [input] }));
    return { text, made };
  };
}

test('a bundle is made once, and again when a file that it was made from is another or gone', async () => {
  const start = startsWith(randomUUID());
  await writeFile(input, 'one');
  expect(await start()).toEqual({ text: '1', made: 1 });
  expect(await start()).toEqual({ text: '1', made: 1 });
  await writeFile(input, 'two');
  expect(await start()).toEqual({ text: '2', made: 2 });
  expect(await start()).toEqual({ text: '2', made: 2 });
  await rm(input);
  await expect(start()).rejects.toThrow('ENOENT');
});

test('a bundle that would be made in another way is made', async () => {
  const start = startsWith(randomUUID());
  await writeFile(input, 'one');
  expect(await start('plain')).toEqual({ text: '1', made: 1 });
  expect(await start('minified')).toEqual({ text: '2', made: 2 });
});

test.each(['', '{"text": "mine"}', '{"way": "", "inputs": {}, "text": "mine"}'])(
  'a bundle that was kept as %j is not taken',
  async (spoilt) => {
    const kept = getCompileCacheDir() ?? '';
    const before = new Set(await readdir(kept));
    const start = startsWith(randomUUID());
    await writeFile(input, 'one');
    await start();
    const mine = (await readdir(kept)).filter((name) => name.startsWith('bundle-') && !before.has(name));
    await Promise.all(mine.map((name) => writeFile(join(kept, name), spoilt)));
    expect(await start()).toEqual({ text: '2', made: 2 });
  },
);
