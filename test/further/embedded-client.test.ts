/** The embedded database gets over what its file system could not do for a while. */
import { mkdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openClient } from '../../migrations/embedded-client.ts';
import { copyTemplate } from '../template-database.ts';
import { temporaryFolder } from '../temporary-folder.ts';

test('a file that could not be made is made when it can be', async () => {
  const dataDir = await temporaryFolder();
  await copyTemplate(dataDir);
  const path = join(dataDir, 'database');
  const folder = join(path, 'full');
  await mkdir(folder);
  const client = await openClient(path);
  onTestFinished(() => client.close());
  const { FS } = client.Module;
  // As PostgreSQL makes the files of a table: O_WRONLY, O_CREAT and O_EXCL, as Emscripten numbers them.
  const make = () => FS.writeFile('/pglite/data/full/file', 'made', { flags: 1 | 64 | 128 });
  // It knows the folder, as it knows those of tables.
  FS.stat('/pglite/data/full');

  await rmdir(folder);
  expect(make).toThrow();
  await mkdir(folder);
  make();
  expect(await readFile(join(folder, 'file'), 'utf8')).toBe('made');
});
