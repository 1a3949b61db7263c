/** The embedded database itself: PGlite, as we use it. */
import { chmodSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PGlite, types } from '@electric-sql/pglite';
import type { Query } from './journal/rows.ts';
import { PreparedPglite } from './prepared-pglite.ts';

const require = createRequire(import.meta.url);

let compiling: Promise<WebAssembly.Module> | undefined;

/** PostgreSQL's code as the engine compiles it, on a thread of its own: once for all that this process opens. */
export function compileEmbedded(): Promise<WebAssembly.Module> {
  compiling ??= readFile(join(dirname(require.resolve('@electric-sql/pglite')), 'pglite.wasm'))
    .then((code) => WebAssembly.compile(code))
    .catch((error: unknown) => {
      // The system may have lacked something for the moment.
      compiling = undefined;
      throw error;
    });
  return compiling;
}

/** Opens what is at a path, or makes it; no other user of the machine gets in there. */
export async function openClient(path: string): Promise<PreparedPglite> {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  // PGlite leaves it to the folder to keep others out: most of its files anybody may write.
  chmodSync(path, 0o700);
  const client = new PreparedPglite(path, {
    pgliteWasmModule: await compileEmbedded(),
    // Of PostgreSQL's 128 MB all is touched when it opens. A process that is smaller by 200 MB also starts others in half the time.
    startParams: [...PGlite.defaultStartParams, '-c', 'shared_buffers=32MB'],
    // PGlite's own conversion of bytes takes 20 ms for a candidate of 70 KB. What stays bytes it sends as such; what is read, Buffer converts.
    serializers: { [types.BYTEA]: asItIs },
    parsers: { [types.BYTEA]: (hex) => Buffer.from(hex.slice(2), 'hex') },
  });
  await client.waitReady;
  forgetUnmade(client);
  return client;
}

/** Of PGlite's file system, which is Emscripten's, what is used here. */
type FsNode = { name: string };
type FileSystem = { lookupNode(parent: FsNode, name: string): FsNode; destroyNode(node: FsNode): void };
type NodeOperations = { mknod(parent: FsNode, name: string, mode: number, device: number): FsNode };

/**
 * PGlite's file system keeps in mind a file that it could not make, as where the process has no descriptor left, and finds it there ever
 * after: PostgreSQL can then neither open nor make it. Here such a file is forgotten, so that it is made when there is room again.
 */
function forgetUnmade({ Module }: PGlite): void {
  const fileSystem: FileSystem = Module.FS;
  const operations: NodeOperations = Module.NODEFS.node_ops;
  const { mknod } = operations;
  operations.mknod = (parent, name, mode, device) => {
    try {
      return mknod(parent, name, mode, device);
    } catch (error) {
      fileSystem.destroyNode(fileSystem.lookupNode(parent, name));
      throw error;
    }
  };
}

function asItIs<Value>(value: Value): Value {
  return value;
}

/** Asks it with parameters. */
export function queryOf(client: PGlite): Query {
  return async (statement, parameters) => (await client.query(statement, parameters)).rows;
}
