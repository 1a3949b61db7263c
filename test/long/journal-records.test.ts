/** What the journal writes is what was committed, whatever that was; and what is read from it is that, or is refused. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readJournal } from '../../migrations/journal/journal-folder.ts';
import { textsOf } from '../../migrations/journal/open-journaled.ts';
import { encodeRecord, noDigest, type RecordKind } from '../../migrations/journal/record.ts';
import { type OpenDatabase, openDatabase } from '../../migrations/open-database.ts';
import { contentsOf } from '../database-contents.ts';
import { copyTemplate } from '../template-database.ts';
import { temporaryFolder } from '../temporary-folder.ts';

let home: string;
let dataDir: string;
let database: OpenDatabase;
beforeAll(async () => {
  home = await temporaryFolder();
  dataDir = join(home, 'data');
  await mkdir(dataDir);
  await copyTemplate(dataDir);
  database = await openDatabase({ dataDir });
});
afterAll(async () => {
  await database.close();
  await rm(home, { recursive: true, force: true });
});

/** Every record of entries in the files of the journal of one kind, as text. */
async function recordsOf(kind: 'log' | 'snapshot'): Promise<string[]> {
  const folder = join(dataDir, 'journal');
  const names = (await readdir(folder)).filter((name) => name.endsWith(`.${kind}`));
  return [...textsOf(names.toSorted().map((name) => join(folder, name)))];
}

const mib = 2 ** 20;
const addLong = (name: string, count: number) =>
  database.run(`
    INSERT INTO candidates (digest, bytes)
    SELECT '${name}' || n, convert_to(repeat('a', ${mib}), 'UTF8') FROM generate_series(1, ${count}) AS n`);

describe('a database', () => {
  test('that is made anew from its journal has the same rows, whatever was done and whenever a snapshot was written', async () => {
    let number = 0;
    const month = fc.integer({ min: 1, max: 3 }).map((each) => `2025-0${each}`);
    const step = fc.oneof(
      fc.string({ maxLength: 20, unit: 'binary' }).map((name) => {
        const quoted = name.replaceAll("'", "''").replaceAll(/[\0\p{Cs}]/gu, '');
        return `INSERT INTO tokens (id, role, name, sha256, gates)
          VALUES (gen_random_uuid(), 'ci', '${quoted}', '${number++}', '{a,"b ,"}')`;
      }),
      fc.constant('UPDATE tokens SET last_used_at = clock_timestamp()'),
      fc.nat().map(
        (seed) => `INSERT INTO sessions (sha256, token_id, expires_at)
        VALUES ('${number++} ${seed}', gen_random_uuid(), 'infinity')`,
      ),
      fc.constant('DELETE FROM sessions WHERE random() < 0.5'),
      fc.constant(`BEGIN; DELETE FROM tokens; ROLLBACK`),
      fc.constant(`UPDATE secrets SET sealed = sealed || '\\x00ff'::bytea`),
      month.map((of) => `DROP TABLE IF EXISTS case_results_${of.replace('-', '_')}`),
      fc.tuple(month, fc.nat({ max: 30 })).map(([of, cases]) => {
        const [id, at] = [
          `00000000-0000-4000-8000-${`${number++}`.padStart(12, '0')}`,
          `${of}-15T12:00:00.123456Z`,
        ];
        return `SELECT make_result_partition('${at}');
          INSERT INTO scores (id, gate, policy_version, change_id, commit, candidate, requested_at, requested_by, deadline_at, request_digest, attempt, first_requested_at)
          VALUES ('${id}', 'g', 1, 'c', 'c', 'sha256:c', '${at}', 'me', now(), 'd', 1, now());
          INSERT INTO case_results (score_id, suite, revision, position, outcome, passed, duration_ms, at)
          SELECT '${id}', 's', 1, n, 'returned', random() < 0.5, random() / 3, '${at}' FROM generate_series(1, ${cases}) AS n;
          SELECT append_audit('{"n":${number}}')`;
      }),
      fc.constant('renew' as const),
    );
    await database.run(`
      INSERT INTO candidates (digest, bytes) VALUES ('sha256:c', '\\x00ff27'::bytea);
      INSERT INTO secrets (name, sealed, recipient) VALUES ('master', '\\x01'::bytea, 'age1')`);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
        const renewing: Promise<void>[] = [];
        for (const each of steps) {
          // While the others go on.
          if (each === 'renew') renewing.push(database.durability.renew());
          else await database.run(each);
        }
        await database.durability.settled();
        await Promise.all(renewing);
        const before = await contentsOf(database);
        await database.close();
        await rm(join(dataDir, 'database'), { recursive: true });
        database = await openDatabase({ dataDir });
        expect(await contentsOf(database)).toEqual(before);
      }),
      { numRuns: 1 },
    );
  });

  test('whose rows are long is read and written a few of them at a time, however well they are compressed', async () => {
    await addLong('together ', 1);
    await database.run(
      Array.from(
        { length: 12 },
        (_, n) =>
          `INSERT INTO candidates (digest, bytes) VALUES ('long ${n}', convert_to(repeat('a', ${mib}), 'UTF8'))`,
      ).join(';'),
    );
    await database.durability.settled();
    const written = (await recordsOf('log')).filter((text) => text.includes('"long '));
    expect(written).toHaveLength(12);
    await database.durability.renew();
    const lengths = (await recordsOf('snapshot')).map((text) => text.length);
    expect(Math.max(...lengths)).toBeLessThan(5 * mib);
  });

  test('in which the outbox cannot be emptied is written down nevertheless, and so is what follows', async () => {
    await database.run(`
      CREATE FUNCTION pg_temp.no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END; $$;
      CREATE TRIGGER no_room BEFORE TRUNCATE ON journal.outbox FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.no_room()`);
    const warned = new Promise((resolve) => process.once('warning', resolve));
    await addLong('much ', 4);
    await database.durability.settled();
    expect(`${await warned}`).toContain('no room');
    for (const name of ['one ', 'two ']) {
      await addLong(name, 1);
      await database.durability.settled();
      expect(database.durability).toMatchObject({ failure: undefined, isSettled: true });
      expect((await recordsOf('log')).some((text) => text.includes(`"${name}1"`))).toBe(true);
    }
    await database.run('DROP TRIGGER no_room ON journal.outbox');
  });

  test('whose snapshot fails leaves nothing of it, and none that was interrupted stays', async () => {
    // A table whose rows cannot be read to their end, as on a full disk they cannot be written.
    await database.run(`
      CREATE TYPE unreadable AS ENUM ('x');
      CREATE FUNCTION as_json(unreadable) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not to be read'; END; $$;
      CREATE CAST (unreadable AS json) WITH FUNCTION as_json(unreadable);
      CREATE TABLE zzz (id integer PRIMARY KEY, what unreadable);
      INSERT INTO zzz VALUES (1, 'x')`);
    await expect(database.durability.renew()).rejects.toMatchObject({ code: 'journal_unwritable' });
    const folder = join(dataDir, 'journal');
    const parts = async () => (await readdir(folder)).filter((name) => name.endsWith('.part'));
    expect(await parts()).toEqual([]);
    await database.run('DROP TABLE zzz; DROP TYPE unreadable CASCADE');
    await writeFile(join(folder, '0000009999.snapshot.part'), 'x');
    await database.close();
    database = await openDatabase({ dataDir });
    expect(await parts()).toEqual([]);
    await database.durability.renew();
    expect(await readdir(folder)).toHaveLength(2);
  });
});

describe('a journal', () => {
  const texts = ['["one"]', `["${'x'.repeat(3_000)}"]`, '["three"]'];
  let folder: string;
  let log: string;
  let whole: Buffer;
  /** Where each record of the log ends. */
  const ends: number[] = [];

  async function write(path: string, records: [RecordKind, string][]): Promise<Buffer> {
    let digest: Buffer = noDigest;
    const parts: Buffer[] = [];
    for (const [sequence, [kind, text]] of records.entries()) {
      const encoded = await encodeRecord({ kind, sequence, text }, digest);
      digest = encoded.digest;
      parts.push(encoded.bytes);
    }
    await writeFile(path, Buffer.concat(parts));
    for (const { length } of path.endsWith('log') ? parts : []) ends.push((ends.at(-1) ?? 0) + length);
    return Buffer.concat(parts);
  }

  beforeAll(async () => {
    folder = join(home, 'journal');
    log = join(folder, '0000000001.log');
    await mkdir(folder);
    const begin = (what: string) => JSON.stringify({ format: 1, what, migrations: 0, boot: 'b' });
    await write(join(folder, '0000000001.snapshot'), [
      ['begin', begin('snapshot')],
      ['end', JSON.stringify({ upTo: 0, rows: 0 })],
    ]);
    whole = await write(log, [
      ['begin', begin('log')],
      ...texts.map((text): [RecordKind, string] => ['entries', text]),
    ]);
  });

  /** Reads it with these bytes as its log: how far it goes, and what was told besides. */
  async function read(bytes: Buffer): Promise<{ sequence: number | undefined; said: string[] }> {
    await writeFile(log, bytes);
    const said: string[] = [];
    return { sequence: readJournal(folder, (line) => said.push(line))?.sequence, said };
  }

  test('is cut off where its last record was half written, at whatever byte, and says so', async () => {
    const last = ends.at(-2) ?? 0;
    for (let length = last; length < whole.length; length++) {
      const { sequence, said } = await read(whole.subarray(0, length));
      expect(sequence).toBe(2);
      expect(said).toHaveLength(length === last ? 0 : 1);
      expect(existsSync(`${log}.torn`)).toBe(length > last);
      if (length > last) expect(await readFile(`${log}.torn`)).toEqual(whole.subarray(last, length));
      expect([...textsOf([log])]).toEqual(texts.slice(0, 2));
    }
  });

  test('with a byte changed is never read as another one, wherever the byte is', async () => {
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      const reading = read(changed);
      // The last record cannot be told from one that was never written to its end.
      if (at >= (ends.at(-2) ?? 0)) expect((await reading).sequence).toBe(2);
      else
        await expect(reading, `byte ${at}`).rejects.toMatchObject({
          code: 'journal_damaged',
          message: expect.stringContaining('restore a backup'),
        });
    }
  });

  test('from which a record or a file is missing is refused', async () => {
    await expect(read(Buffer.concat([whole.subarray(0, ends[1]), whole.subarray(ends[2])]))).rejects.toThrow(
      /missing or moved/,
    );
    await writeFile(join(folder, '0000000003.log'), whole);
    await expect(read(whole)).rejects.toThrow(/log 2 is missing/);
    await rm(join(folder, '0000000001.snapshot'));
    await expect(read(whole)).rejects.toThrow(/no snapshot/);
  });
});
