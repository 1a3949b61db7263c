/** Brings a folder itself to the disk: which names it holds. */
import { open } from 'node:fs/promises';

/** Sees to it that what was made, renamed or removed in a folder is so after a loss of power too. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  await handle.sync().finally(() => handle.close());
}
