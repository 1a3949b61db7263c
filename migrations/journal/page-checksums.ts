/**
 * Finds pages of an embedded database that are not as they were written. A page that nobody reads would otherwise be found out when it
 * is needed. After a kill the database has repaired what was half written when it opened; what is wrong then is damage.
 */
import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

const pageBytes = 8_192;
const pageWords = pageBytes / 4;
/** A file of a table has at most so many pages; then comes the next one. */
const segmentPages = 131_072;
const lookPages = 128;
const prime = 16_777_619;

/** Where the first damaged page is; undefined where there is none. Of a database that is open and does nothing. */
export function findDamagedPage(database: string): string | undefined {
  const folders = [join(database, 'global'), ...foldersIn(join(database, 'base'))];
  // One for all files, most of which are of a page or two: to make one takes longer than to read such a file.
  const look = Buffer.alloc(lookPages * pageBytes);
  for (const folder of folders) {
    if (!existsSync(folder)) return `${folder}, which is missing`;
    for (const name of readdirSync(folder)) {
      const [, segment] = /^\d+(?:_(?:fsm|vm|init))?(?:\.(\d+))?$/.exec(name) ?? [];
      if (!/^\d+(?:_(?:fsm|vm|init))?(?:\.\d+)?$/.test(name)) continue;
      const damaged = damagedIn(join(folder, name), Number(segment ?? 0) * segmentPages, look);
      if (damaged !== undefined) return damaged;
    }
  }
  return undefined;
}

function foldersIn(path: string): string[] {
  if (!existsSync(path)) return [path];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [join(path, entry.name)] : [],
  );
}

function damagedIn(path: string, firstPage: number, bytes: Buffer): string | undefined {
  const file = openSync(path, 'r');
  try {
    for (let page = 0; ; ) {
      const got = readSync(file, bytes, 0, bytes.length, page * pageBytes);
      for (let at = 0; at < got; at += pageBytes, page++) {
        if (at + pageBytes > got) return `${path}, which ends in the middle of a page`;
        if (!isWhole(bytes, at, firstPage + page)) return `${path}, page ${page}`;
      }
      if (got < bytes.length) return undefined;
    }
  } finally {
    closeSync(file);
  }
}

function isWhole(bytes: Buffer, at: number, block: number): boolean {
  // A page that was never written to is all zeros, and has no checksum.
  if (bytes.readUInt16LE(at + 14) === 0)
    return bytes.subarray(at, at + pageBytes).every((byte) => byte === 0);
  return bytes.readUInt16LE(at + 8) === checksumOf(bytes, at, block);
}

/** PostgreSQL's own (src/include/storage/checksum_impl.h): FNV-1a, in 32 lanes. */
const offsets = Uint32Array.of(
  0x5b1f36e9,
  0xb8525960,
  0x02ab50aa,
  0x1de66d2a,
  0x79ff467a,
  0x9bb9f8a3,
  0x217e7cd2,
  0x83e13d2c,
  0xf8d4474f,
  0xe39eb970,
  0x42c6ae16,
  0x993216fa,
  0x7b093b5d,
  0x98daff3c,
  0xf718902a,
  0x0b1c9cdb,
  0xe58f764b,
  0x187636bc,
  0x5d7b3bb1,
  0xe73de7de,
  0x92bec979,
  0xcca6c0b2,
  0x304a0979,
  0x85aa43d4,
  0x783125bb,
  0x6ca8eaa2,
  0xe407eac6,
  0x4b5cfc3e,
  0x9fbf8c76,
  0x15ca20be,
  0xf2ca9fd3,
  0x959bd756,
);
const lanes = offsets.length;
const sums = new Uint32Array(lanes);

function checksumOf(bytes: Buffer, at: number, block: number): number {
  sums.set(offsets);
  const words = new DataView(bytes.buffer, bytes.byteOffset + at, pageBytes);
  for (let word = 0; word < pageWords; word++) {
    // The checksum itself counts as nothing.
    const value = word === 2 ? words.getUint32(8, true) & 0xffff0000 : words.getUint32(word * 4, true);
    mix(word % lanes, value);
  }
  for (let round = 0; round < 2; round++) for (let lane = 0; lane < lanes; lane++) mix(lane, 0);
  const folded = sums.reduce((all, sum) => all ^ sum, 0);
  return (((folded ^ block) >>> 0) % 65_535) + 1;
}

function mix(lane: number, value: number): void {
  const mixed = (sums[lane] ?? 0) ^ value;
  sums[lane] = Math.imul(mixed, prime) ^ (mixed >>> 17);
}
