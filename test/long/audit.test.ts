/** Everything that counts is recorded with who and when, and no record can be changed, left out or moved without being found out. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { generateX25519Identity } from 'age-encryption';
import { type SQL, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import {
  type AuditEntry,
  type AuditFault,
  type AuditHead,
  type AuditRecord,
  auditFaultSchema,
  auditHeadSchema,
  auditRecordSchema,
  chainStart,
  headText,
  readEntry,
  verifyChain,
  verifyHeads,
} from '../../gate/audit/audit-chain.ts';
import type { Role } from '../../gate/disclosure/disclosed.ts';
import { appendAudit } from '../../migrations/append-audit.ts';
import { type Database, openDatabase } from '../../migrations/open-database.ts';
import { audit, auditHeads } from '../../migrations/tables.ts';
import { type Ended, runCommand } from '../command.ts';
import { startPostgres } from '../postgres-server.ts';
import { copyTemplate } from '../template-database.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { adminToken, type Client, sealSuite, startWorld, type World } from '../world.ts';

const small = { HOLDBACK_POOL: '1', HOLDBACK_CONCURRENCY: '1', HOLDBACK_HOSTS_PER_SCORE: '1' };
const canary = 'CANARY4d1e';
const cases = [
  {
    name: `${canary} name`,
    input: `${canary} input`,
    expect: { equals: `${canary} output` },
    tags: [canary],
  },
];

let home: string;
let world: World;
let database: Database;
beforeAll(async () => {
  home = await temporaryFolder();
  world = await startWorld(small);
  database = world.service.database.database;
  await sealSuite(world, 'base', { cases });
});
afterAll(async () => {
  await world.close();
  await rm(home, { recursive: true, force: true });
});

/** A client with a fresh token, and the token's id, which is who it is in the audit. */
async function somebody(role: Role): Promise<{ client: Client; id: string }> {
  const made = await world.admin('POST', '/tokens', { role, name: `an audited ${role}` });
  const { id, token } = z.object({ id: z.string(), token: z.string() }).parse(made.json);
  return { client: world.client(token), id };
}

const newestSchema = z.strictObject({
  publicKey: z.string(),
  head: auditHeadSchema.nullable(),
  fault: auditFaultSchema.nullable(),
});

async function newestHead(client: Client) {
  return newestSchema.parse((await client('GET', '/audit/head')).json);
}

/** All that the service hands out at an address, in pages of this size. */
async function readAll<Row>(
  client: Client,
  path: string,
  name: string,
  schema: z.ZodType<Row>,
  pageSize = 25,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const reply = await client('GET', `${path}?after=${after}&limit=${pageSize}`);
    expect(reply.status, reply.text).toBe(200);
    rows.push(...z.array(schema).parse(Reflect.get(Object(reply.json), name)));
    after = z.object({ next: z.number().nullable() }).parse(reply.json).next;
  }
  return rows;
}

type Log = { records: AuditRecord[]; heads: AuditHead[]; publicKey: string };

/** Everything that a reader gets, heads first. */
async function readLog(client: Client): Promise<Log> {
  const { publicKey } = await newestHead(client);
  const heads = await readAll(client, '/audit/heads', 'heads', auditHeadSchema);
  return { records: await readAll(client, '/audit', 'records', auditRecordSchema), heads, publicKey };
}

/** What is wrong with a log, or undefined. */
function faultIn({ records, heads, publicKey }: Log): AuditFault | undefined {
  const chain = verifyChain(records);
  if (!chain.ok) return chain.fault;
  const hashes = new Map(records.map(({ sequence, hash }) => [sequence, hash]));
  return verifyHeads(heads, hashes, publicKey);
}

/** What was recorded of an action about a suite or gate, in order. */
async function recorded(action: string, name: string): Promise<AuditEntry[]> {
  const records = await readAll(world.admin, '/audit', 'records', auditRecordSchema);
  return records
    .flatMap(({ entry }) => readEntry(entry) ?? [])
    .filter(({ action: did, about }) => did === action && (about.suite === name || about.gate === name));
}

function hashOf(previous: string, sequence: number, entry: string): string {
  return createHash('sha256').update(`${previous}\n${sequence}\n${entry}`).digest('hex');
}

/** A character's neighbour in the alphabet, so that a text is changed as little as it can be. */
function nudge(text: string, at: number): string {
  return `${text.slice(0, at)}${String.fromCharCode(text.charCodeAt(at) ^ 1)}${text.slice(at + 1)}`;
}

describe('what is recorded', () => {
  test('who made, activated and read which revision and set which gate, and when', async () => {
    const [author, lead] = [await somebody('author'), await somebody('lead')];
    const admin = await somebody('admin');
    const before = Date.now();
    await author.client('POST', '/suites/told/revisions?activate=true', { cases });
    await author.client('POST', '/suites/told/revisions', { cases });
    await admin.client('POST', '/suites/told/revisions/2/activate');
    await admin.client('PUT', '/gates/told', { suites: ['told'], attemptsPerChange: 7 });
    expect((await author.client('GET', '/suites/told/revisions/1')).text).toContain(canary);
    expect((await admin.client('GET', '/suites/told/revisions/2')).text).toContain(canary);
    // What is refused, or shows no contents, is no reading of contents.
    expect((await lead.client('GET', '/suites/told/revisions/2')).text).not.toContain(canary);
    expect((await author.client('GET', '/suites/told/revisions/3')).status).toBe(404);

    const about = { suite: 'told' };
    const [digest, caseCount] = [expect.stringMatching(/^hmac-sha256:/), 1];
    const at = expect.any(String);
    expect(await recorded('revision.made', 'told')).toEqual([
      {
        at,
        by: author.id,
        action: 'revision.made',
        about: { ...about, revision: 1, digest, cases: caseCount, sealed: false },
      },
      {
        at,
        by: author.id,
        action: 'revision.made',
        about: { ...about, revision: 2, digest, cases: caseCount, sealed: false },
      },
    ]);
    expect(await recorded('revision.activated', 'told')).toEqual([
      { at, by: author.id, action: 'revision.activated', about: { ...about, revision: 1 } },
      { at, by: admin.id, action: 'revision.activated', about: { ...about, revision: 2 } },
    ]);
    const reads = await recorded('revision.read', 'told');
    expect(reads).toEqual([
      { at, by: author.id, action: 'revision.read', about: { ...about, revision: 1 } },
      { at, by: admin.id, action: 'revision.read', about: { ...about, revision: 2 } },
    ]);
    expect(await recorded('gate.set', 'told')).toMatchObject([
      { by: admin.id, about: { gate: 'told', version: 1, suites: ['told'], attemptsPerChange: 7 } },
    ]);
    for (const read of reads) {
      expect(Date.parse(read.at)).toBeGreaterThanOrEqual(before);
      expect(Date.parse(read.at)).toBeLessThanOrEqual(Date.now());
    }
  });

  test('what is refused or fails leaves no record, and contents are never sent without one', async () => {
    const author = await somebody('author');
    await author.client('POST', '/suites/unread/revisions', { cases });
    expect(
      (await author.client('POST', '/suites/unread/revisions', { cases: [...cases, ...cases] })).status,
    ).toBe(422);
    expect((await world.admin('PUT', '/gates/unread', { suites: ['nowhere'] })).status).toBe(404);
    expect(await recorded('revision.made', 'unread')).toHaveLength(1);
    expect(await recorded('gate.set', 'unread')).toEqual([]);

    await database.execute(sql`ALTER FUNCTION append_audit(text) RENAME TO append_audit_gone`);
    const reply = await author.client('GET', '/suites/unread/revisions/1');
    await database.execute(sql`ALTER FUNCTION append_audit_gone(text) RENAME TO append_audit`);
    expect(reply.status).toBe(500);
    expect(reply.text).not.toContain(canary);
    expect(await recorded('revision.read', 'unread')).toEqual([]);
    expect((await author.client('GET', '/suites/unread/revisions/1')).text).toContain(canary);
    expect(await recorded('revision.read', 'unread')).toHaveLength(1);
  });
});

describe('a score', () => {
  test('is recorded when it is accepted, decided, read by its author, overridden; so are tokens', async () => {
    const [ci, author, lead] = [await somebody('ci'), await somebody('author'), await somebody('lead')];
    const scored = await ci.client('POST', '/score', {
      gate: 'base',
      change: { id: 'PR-1', commit: 'c0ffee' },
      candidate: { source: 'exports.run = () => 0;' },
    });
    const { id, candidate } = z
      .looseObject({ id: z.string(), candidate: z.object({ digest: z.string() }) })
      .parse(scored.json);
    await author.client('GET', `/scores/${id}`);
    await lead.client('GET', `/scores/${id}`);
    await lead.client('POST', `/scores/${id}/override`, { reason: 'the suite is wrong' });
    await world.admin('DELETE', `/tokens/${ci.id}`);
    const records = await readAll(world.admin, '/audit', 'records', auditRecordSchema);
    const entries = records.flatMap(({ entry }) => readEntry(entry) ?? []);
    const at = expect.any(String);
    const score = { score: id, gate: 'base' };
    const build = { change: 'PR-1', commit: 'c0ffee', candidate: candidate.digest };
    expect(entries.filter(({ about }) => about.score === id)).toEqual([
      { at, by: ci.id, action: 'score.accepted', about: { ...score, ...build } },
      {
        at,
        by: 'service',
        action: 'verdict.decided',
        about: {
          ...score,
          verdict: 'block',
          reason: 'red',
          revisions: ['base@1'],
          passed: 0,
          total: 1,
          repeats: null,
          seed: expect.stringMatching(/^[0-9a-f]{64}$/),
        },
      },
      { at, by: author.id, action: 'score.failures_read', about: { ...score, cases: 1 } },
      {
        at,
        by: lead.id,
        action: 'verdict.overridden',
        about: { ...score, ...build, person: lead.id, reason: 'the suite is wrong' },
      },
    ]);
    expect(
      entries.filter(({ action, about }) => /^token/.test(action) && about.token === ci.id),
    ).toMatchObject([
      { at, action: 'token.made' },
      { at, action: 'token.revoked' },
    ]);
  });
});

describe('who may read it', () => {
  test('leads and admins whose tokens have no limits, and nobody else', async () => {
    const lead = await somebody('lead');
    const author = await somebody('author');
    const ofGates = await world.as('lead', ['told']);
    const ofSuites = await somebody('lead');
    await database.execute(sql`UPDATE tokens SET suites = ARRAY['told'] WHERE id = ${ofSuites.id}::uuid`);
    for (const path of ['/audit', '/audit/heads', '/audit/head']) {
      expect((await lead.client('GET', path)).status).toBe(200);
      expect((await world.admin('GET', path)).status).toBe(200);
      for (const client of [author.client, ofGates, ofSuites.client]) {
        const reply = await client('GET', path);
        expect(reply.json).toMatchObject({ status: 403, code: 'role_forbidden' });
        expect(reply.text).not.toMatch(/revision\.|told/);
      }
    }
    const limited = await ofGates('GET', '/audit');
    expect(limited.json).toMatchObject({ detail: expect.stringContaining('use one that is not') });
  });

  test.each(['after=-1', 'after=x', 'after=1e30', 'limit=0', 'limit=1001', 'by=me', 'after=1&after=2'])(
    'a page that cannot be is refused: %s',
    async (query) => {
      for (const path of ['/audit', '/audit/heads']) {
        expect((await world.admin('GET', `${path}?${query}`)).json).toMatchObject({
          code: 'invalid_request',
        });
      }
    },
  );
});

describe('a log of realistic length', () => {
  let log: Log;
  beforeAll(async () => {
    const author = await somebody('author');
    for (const suite of ['prices', 'discounts', 'shipping']) {
      for (const revision of [1, 2]) {
        await author.client('POST', `/suites/${suite}/revisions?activate=true`, { cases });
        await author.client('GET', `/suites/${suite}/revisions/${revision}`);
        await world.admin('PUT', `/gates/${suite}`, { suites: [suite], attemptsPerChange: revision });
      }
      // Heads stand here and there, as in a log that grew over some time.
      await newestHead(world.admin);
    }
    for (let attempts = 1; attempts <= 12; attempts++) {
      await world.admin('PUT', '/gates/prices', {
        suites: ['prices', 'shipping'],
        attemptsPerChange: attempts,
      });
    }
    log = await readLog(world.admin);
  });

  /** The log with other records, or other heads. */
  const withRecords = (records: AuditRecord[]): Log => ({ ...log, records });
  const changed = (index: number, change: Partial<AuditRecord>): Log =>
    withRecords(log.records.map((record, at) => (at === index ? { ...record, ...change } : record)));
  /** The log in which everything from here on was hashed anew, as its owner would after changing it. */
  const rehashed = ({ records, ...rest }: Log): Log => {
    let hash = '';
    return {
      ...rest,
      records: records.map(({ entry }, index) => {
        hash = hashOf(hash, index + 1, entry);
        return { sequence: index + 1, entry, hash };
      }),
    };
  };
  const last = () => log.records.length;

  test('holds as it is, however it is read in pages', () => {
    expect(log.records.length).toBeGreaterThanOrEqual(36);
    expect(log.heads.length).toBeGreaterThanOrEqual(3);
    expect(log.heads.at(-1)?.sequence).toBe(last());
    expect(faultIn(log)).toBeUndefined();
    for (const size of [1, 7, 1_000]) {
      let at = chainStart;
      for (let start = 0; start < log.records.length; start += size) {
        const check = verifyChain(log.records.slice(start, start + size), at);
        expect(check.ok).toBe(true);
        at = check.last;
      }
      expect(at.sequence).toBe(last());
    }
    expect(verifyChain([])).toEqual({ ok: true, last: chainStart });
  });

  test('says nothing of what cases hold', () => {
    expect(JSON.stringify(log)).toContain('discounts');
    expect(JSON.stringify(log)).not.toContain(canary);
  });

  test('every record, edited: each field, and each single character of what it says', () => {
    for (const [index, { sequence, entry, hash }] of log.records.entries()) {
      const found = { of: 'record', sequence, kind: 'edited' };
      const before = verifyChain(log.records.slice(0, index)).last;
      const unnoticed = Array.from(entry, (_, at) => nudge(entry, at)).filter((other) => {
        const check = verifyChain([{ sequence, entry: other, hash }], before);
        return check.ok || check.fault.sequence !== sequence || check.fault.kind !== 'edited';
      });
      expect(unnoticed).toEqual([]);
      for (const other of ['', '{}', `${entry} `, entry.slice(1), entry.slice(0, -1), `${entry}\n`]) {
        expect(faultIn(changed(index, { entry: other }))).toMatchObject(found);
      }
      for (const other of ['', 'x', nudge(hash, 0), nudge(hash, 63), hash.toUpperCase(), `${hash}0`]) {
        expect(faultIn(changed(index, { hash: other })), other).toMatchObject(found);
      }
      for (const other of [sequence + 1_000, sequence + 0.5, 0, -sequence, Number.NaN, 2 ** 60]) {
        expect(faultIn(changed(index, { sequence: other })), `${sequence} as ${other}`).toMatchObject({
          of: 'record',
        });
      }
      expect(faultIn(changed(index, { sequence: sequence + 1_000 }))).toMatchObject({
        sequence,
        kind: 'dropped',
      });
    }
  });

  test('every record, rewritten with a hash that fits: the next record tells, or else the heads', () => {
    for (const [index, { sequence, entry }] of log.records.entries()) {
      const other = nudge(entry, entry.indexOf('by":"') + 5);
      const fits = hashOf(log.records[index - 1]?.hash ?? '', sequence, other);
      const fault = faultIn(changed(index, { entry: other, hash: fits }));
      expect(fault, `${sequence}`).toMatchObject({
        sequence: Math.min(sequence + 1, last()),
        kind: 'edited',
      });
      const head = log.heads.find((each) => each.sequence >= sequence);
      expect(faultIn(rehashed(changed(index, { entry: other }))), `${sequence}`).toMatchObject({
        of: 'head',
        sequence: head?.sequence,
        kind: 'edited',
      });
    }
  });

  test('every record, dropped: named, also the last, and also if all that follow were numbered anew', () => {
    for (const [index, { sequence }] of log.records.entries()) {
      const dropped = withRecords(log.records.toSpliced(index, 1));
      expect(faultIn(dropped)).toMatchObject({
        of: sequence === last() ? 'head' : 'record',
        sequence,
        kind: 'dropped',
      });
      expect(faultIn(rehashed(dropped))).toMatchObject({ of: 'head' });
    }
  });

  test('every record, swapped with the next: in their order, in what they hold, and hashed anew', () => {
    for (const [index, one] of log.records.slice(0, -1).entries()) {
      const two = log.records[index + 1] ?? one;
      const { sequence } = one;
      const found = { of: 'record', sequence, kind: 'reordered' };
      expect(faultIn(withRecords(log.records.toSpliced(index, 2, two, one)))).toMatchObject(found);
      const [held, other] = [
        { ...two, sequence },
        { ...one, sequence: two.sequence },
      ];
      expect(faultIn(withRecords(log.records.toSpliced(index, 2, held, other)))).toMatchObject({
        ...{ of: 'record', sequence },
      });
      const [mine, theirs] = [
        { ...one, entry: two.entry },
        { ...two, entry: one.entry },
      ];
      const exchanged = withRecords(log.records.toSpliced(index, 2, mine, theirs));
      expect(faultIn(exchanged)).toMatchObject({ of: 'record', sequence });
      expect(faultIn(rehashed(exchanged))).toMatchObject({ of: 'head', kind: 'edited' });
    }
  });

  test('every record, twice: after itself, at the end, and in the place of the next', () => {
    for (const [index, record] of log.records.entries()) {
      const { sequence } = record;
      const found = { of: 'record', sequence, kind: 'duplicated' };
      expect(faultIn(withRecords(log.records.toSpliced(index, 0, record)))).toMatchObject(found);
      expect(faultIn(withRecords([...log.records, record]))).toMatchObject(found);
      const over = { ...record, sequence: sequence + 1 };
      expect(faultIn(withRecords(log.records.toSpliced(index + 1, 1, over)))).toMatchObject({
        ...{ of: 'record', sequence: sequence + 1, kind: 'edited' },
      });
      // What is put in after the newest head is a record like any other: nobody can tell.
      if (sequence === last()) continue;
      const inserted = rehashed(withRecords(log.records.toSpliced(index, 0, record)));
      expect(faultIn(inserted)).toMatchObject({ of: 'head', kind: 'edited' });
    }
  });

  test('cut off at any place: the first head beyond the end tells', () => {
    for (let length = 0; length < last(); length++) {
      const head = log.heads.find(({ sequence }) => sequence > length);
      expect(faultIn(withRecords(log.records.slice(0, length)))).toMatchObject({
        ...{ of: 'head', sequence: head?.sequence, kind: 'dropped' },
      });
    }
  });

  test('begun later, or with something before it', () => {
    for (let start = 1; start < last(); start++) {
      expect(faultIn(withRecords(log.records.slice(start)))).toMatchObject({ sequence: 1, kind: 'dropped' });
    }
    expect(faultIn(withRecords([{ sequence: 0, entry: '{}', hash: '' }, ...log.records]))).toMatchObject({
      sequence: 1,
    });
  });

  test('what says not who, what and when is unreadable, even where its hash fits', () => {
    for (const entry of ['', '{}', '[]', 'null', '{"at":"now","by":"me","action":"x","about":{}}']) {
      const fault = faultIn(rehashed(changed(4, { entry })));
      expect(fault).toMatchObject({ of: 'record', sequence: 5, kind: 'unreadable' });
    }
  });

  test('heads that are edited, moved, or signed with another key', () => {
    const { privateKey, publicKey: other } = generateKeyPairSync('ed25519');
    const otherKey = other.export({ format: 'der', type: 'spki' }).toString('base64');
    const signedWith = (key: KeyObject, head: AuditHead) =>
      sign(null, headText(head), key).toString('base64');
    for (const [index, head] of log.heads.entries()) {
      const { sequence } = head;
      const faultWith = (change: Partial<AuditHead>) =>
        faultIn({ ...log, heads: log.heads.toSpliced(index, 1, { ...head, ...change }) });
      const forged = { of: 'head', sequence, kind: 'forged' };
      expect(faultWith({ hash: nudge(head.hash, 5) })).toMatchObject(forged);
      expect(faultWith({ signature: '' })).toMatchObject(forged);
      expect(faultWith({ signature: nudge(head.signature, 9) })).toMatchObject(forged);
      expect(faultWith({ sequence: sequence - 1 })).toMatchObject({ ...forged, sequence: sequence - 1 });
      expect(faultWith({ publicKey: otherKey })).toMatchObject(forged);
      expect(faultWith({ publicKey: otherKey, signature: signedWith(privateKey, head) })).toMatchObject(
        forged,
      );
      expect(faultWith({ signature: signedWith(privateKey, head) })).toMatchObject(forged);
      expect(faultWith({ publicKey: '' })).toMatchObject(forged);
    }
    for (const publicKey of [otherKey, '', 'x', log.publicKey.slice(0, -4)]) {
      expect(faultIn({ ...log, publicKey })).toMatchObject({ of: 'head', kind: 'forged' });
    }
    // The right key's signature over anything but a head says nothing.
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey;
    const rsaKey = rsa.export({ format: 'der', type: 'spki' }).toString('base64');
    expect(faultIn({ ...log, publicKey: rsaKey })).toMatchObject({ kind: 'forged' });
  });

  describe('changed in the database by its owner', () => {
    test('every record: whoever reads it finds it, and the service signs nothing of it', async () => {
      const read = () => readAll(world.admin, '/audit', 'records', auditRecordSchema, 1_000);
      await withTampering(async () => {
        for (const { sequence, entry, hash } of log.records) {
          const here = sql`WHERE sequence = ${sequence}`;
          const next = sequence + 1;
          const tamperings: SQL[] = [
            sql`UPDATE audit SET entry = ${nudge(entry, entry.length - 3)} ${here}`,
            sql`UPDATE audit SET hash = ${nudge(hash, 1)} ${here}`,
            sql`DELETE FROM audit ${here}`,
            ...(sequence === last()
              ? []
              : [
                  sql`UPDATE audit SET (entry, hash) = (SELECT entry, hash FROM audit AS other
                    WHERE other.sequence = CASE audit.sequence WHEN ${sequence} THEN ${next}::int ELSE ${sequence}::int END)
                    WHERE sequence IN (${sequence}, ${next})`,
                ]),
          ];
          for (const tampering of tamperings) {
            await database.execute(tampering);
            expect(faultIn(withRecords(await read())), `${sequence}`).toMatchObject({ sequence });
            await database.execute(sql`DELETE FROM audit WHERE sequence >= ${sequence}`);
            await database.insert(audit).values(log.records.slice(sequence - 1));
          }
        }
        await newestHead(world.admin);
      });
      expect(await readLog(world.admin)).toEqual(log);
    });

    test('a history that is rewritten and hashed anew from its start is not signed by the service', async () => {
      const { entry } = log.records[2] ?? { entry: '' };
      const nudged = nudge(entry, entry.indexOf('by":"') + 5);
      const rewritten = rehashed(changed(2, { entry: nudged })).records;
      const more = { sequence: last() + 1, entry: log.records[0]?.entry ?? '' };
      const goesOn = { ...more, hash: hashOf(rewritten.at(-1)?.hash ?? '', more.sequence, more.entry) };
      await withTampering(async () => {
        await database.execute(sql`DELETE FROM audit`);
        await database.execute(sql`DELETE FROM audit_heads`);
        await database.insert(audit).values([...rewritten, goesOn]);
        const { head, fault } = await newestHead(world.admin);
        expect(head).toEqual(log.heads.at(-1));
        expect(fault).toMatchObject({ of: 'head', sequence: last(), kind: 'edited' });
        expect(await readAll(world.admin, '/audit/heads', 'heads', auditHeadSchema)).toEqual([]);
        const verified = await holdback(['audit', 'verify', '--json']);
        expect(verified.code).toBe(1);
        expect(JSON.parse(verified.out)).toMatchObject({
          holds: false,
          fault: { of: 'head', sequence: last() },
        });
      });
      expect(await newestHead(world.admin)).toMatchObject({ fault: null });
    });

    test('the command names what was edited, dropped, moved or cut off, and ends with 1', async () => {
      const places: [SQL, RegExp][] = [
        [
          sql`UPDATE audit SET entry = replace(entry, '"by":"', '"by":"x') WHERE sequence = 9`,
          /record 9 is edited/,
        ],
        [sql`UPDATE audit SET sequence = 9000000000000000000 WHERE sequence = 4`, /record 4 is dropped/],
        [sql`DELETE FROM audit WHERE sequence > 30`, /head \d+ is dropped/],
        [sql`UPDATE audit_heads SET signature = 'AAAA' WHERE sequence = ${last()}`, /head \d+ is forged/],
      ];
      for (const [tampering, told] of places) {
        const ended = await withTampering(async () => {
          await database.execute(tampering);
          return holdback(['audit', 'verify']);
        });
        expect(ended).toMatchObject({ code: 1, err: '' });
        expect(ended.out).toMatch(/^the audit does NOT hold: /);
        expect(ended.out).toMatch(told);
      }
    });

    /** Lets the owner of the database work on it, and puts it right again. */
    async function withTampering<Result>(work: () => Promise<Result>): Promise<Result> {
      const [records, heads] = [
        await database.select().from(audit),
        await database.select().from(auditHeads),
      ];
      await database.execute(sql`ALTER TABLE audit DISABLE TRIGGER ALL`);
      await database.execute(sql`ALTER TABLE audit_heads DISABLE TRIGGER ALL`);
      try {
        return await work();
      } finally {
        await database.execute(sql`DELETE FROM audit`);
        await database.execute(sql`DELETE FROM audit_heads`);
        await database.insert(audit).values(records);
        await database.insert(auditHeads).values(heads);
        await database.execute(sql`ALTER TABLE audit ENABLE TRIGGER ALL`);
        await database.execute(sql`ALTER TABLE audit_heads ENABLE TRIGGER ALL`);
      }
    }
  });
});

describe('holdback audit verify', () => {
  test('ends with 0 where the audit holds, and prints a head that holds later audits to it', async () => {
    const [told, json] = await Promise.all([
      holdback(['audit', 'verify']),
      holdback(['audit', 'verify', '--json']),
    ]);
    expect(told).toMatchObject({ code: 0, err: '' });
    expect(told.out).toMatch(
      /^the audit holds: \d+ records, \d+ signed heads\nhead \d+ [0-9a-f]{64}\nkey \S+\n$/,
    );
    const { code, out } = json;
    const check = JSON.parse(out);
    expect(code).toBe(0);
    expect(check).toMatchObject({ holds: true, fault: null, records: check.head.sequence });
    expect(check.heads).toBeGreaterThan(0);

    await writeFile(join(home, 'check.json'), out);
    await writeFile(join(home, 'head.json'), JSON.stringify(check.head));
    await world.admin('PUT', '/gates/base', { suites: ['base'] });
    const again = await Promise.all(
      ['check.json', 'head.json'].map((file) =>
        holdback(['audit', 'verify', '--head', join(home, file), '--key', check.publicKey]),
      ),
    );
    expect(again).toMatchObject([{ code: 0 }, { code: 0 }]);
  });

  test('ends with 1 for a head or a key of another audit', async () => {
    const { publicKey, head } = await newestHead(world.admin);
    const foreign = generateKeyPairSync('ed25519');
    const foreignKey = foreign.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
    const foreignHead = { ...auditHeadSchema.parse(head), publicKey: foreignKey };
    const signature = sign(null, headText(foreignHead), foreign.privateKey).toString('base64');
    await writeFile(join(home, 'foreign.json'), JSON.stringify({ ...foreignHead, signature }));
    // One that the service itself signed, of a history that is gone: a record more than there are.
    const gone = { ...auditHeadSchema.parse(head), sequence: 1_000_000 };
    await writeFile(join(home, 'gone.json'), JSON.stringify(gone));
    const ends = await Promise.all(
      [
        ['--key', foreignKey],
        ['--head', join(home, 'foreign.json')],
        ['--head', join(home, 'foreign.json'), '--key', publicKey],
        ['--head', join(home, 'gone.json')],
      ].map((flags) => holdback(['audit', 'verify', ...flags])),
    );
    for (const { code, out } of ends) {
      expect(code).toBe(1);
      expect(out).toMatch(/^the audit does NOT hold: head \d+ is forged: /);
    }
    expect(ends.at(-1)?.out).toContain('gone.json');
  });

  test('ends with 1 where there is nothing that is signed, whatever the service says', async () => {
    const { records, publicKey } = await readLog(world.admin);
    const { head } = await newestHead(world.admin);
    const verified = async (answer: object) => {
      const told = { publicKey, head: null, fault: null, heads: [], records: [], next: null, ...answer };
      const server = createServer((_request, response) => response.end(JSON.stringify(told)));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = z.object({ port: z.number() }).parse(server.address());
      const flags = ['audit', 'verify', '--json', '--key', publicKey];
      const { code, out } = await holdback(flags, { HOLDBACK_URL: `http://127.0.0.1:${port}` });
      server.close();
      return { code, check: JSON.parse(out) };
    };
    const [last] = records.slice(-1);
    const sequence = records.length + 1;
    const entry = last?.entry ?? '';
    const more = { sequence, entry, hash: hashOf(last?.hash ?? '', sequence, entry) };
    const [empty, unsigned, goesOn] = await Promise.all([
      verified({}),
      verified({ records }),
      verified({ records: [...records, more], head }),
    ]);
    expect(empty).toMatchObject({
      code: 1,
      check: { holds: false, fault: { of: 'record', kind: 'dropped' } },
    });
    expect(unsigned).toMatchObject({
      code: 1,
      check: { holds: false, fault: { of: 'head', kind: 'dropped' } },
    });
    // What is not signed is not counted.
    expect(goesOn).toMatchObject({ code: 0, check: { holds: true, records: head?.sequence } });
  });

  test('reads a long audit to its end', async () => {
    const entry = {
      at: new Date().toISOString(),
      by: 'service',
      action: 'verdict.decided',
      about: { gate: 'base' },
    };
    await database.execute(sql`SELECT append_audit(${JSON.stringify(entry)}) FROM generate_series(1, 2500)`);
    const { code, out } = await holdback(['audit', 'verify', '--json']);
    const { records, head } = z.object({ records: z.number(), head: auditHeadSchema }).parse(JSON.parse(out));
    expect(code).toBe(0);
    expect(records).toBe(await database.$count(audit));
    expect(head.sequence).toBe(records);
  });

  test('ends with 2 for what is no head and no key, and with 3 where the service cannot be had or refuses', async () => {
    await writeFile(join(home, 'odd.json'), '{"head": null}');
    const limited = await world.admin('POST', '/tokens', { role: 'lead', name: 'limited', gates: ['base'] });
    const limitedToken = z.object({ token: z.string() }).parse(limited.json).token;
    const [none, odd, key, away, refused] = await Promise.all([
      holdback(['audit', 'verify', '--head', join(home, 'none.json')]),
      holdback(['audit', 'verify', '--head', join(home, 'odd.json')]),
      holdback(['audit', 'verify', '--key', 'AAAA']),
      holdback(['audit', 'verify'], { HOLDBACK_URL: 'http://127.0.0.1:9' }),
      holdback(['audit', 'verify'], { HOLDBACK_TOKEN: limitedToken }),
    ]);
    expect([none, odd, key, away, refused].map(({ code }) => code)).toEqual([2, 2, 2, 3, 3]);
    expect(none?.err).toContain('there is no such file');
    expect(odd?.err).toContain('holds no head');
    expect(key?.err).toContain('--key is no Ed25519 key');
    expect(refused?.err).toContain('use one that is not');
  });
});

describe('when no head can be signed', () => {
  test('everything else goes on, it is warned of, and what was recorded meanwhile is signed later', async () => {
    const warnings: string[] = [];
    const gather = ({ message }: Error) => {
      if (message.includes('audit')) warnings.push(message);
    };
    process.on('warning', gather);
    onTestFinished(() => void process.off('warning', gather));
    await database.execute(sql`ALTER TABLE audit_heads RENAME TO audit_heads_gone`);
    expect((await world.admin('PUT', '/gates/base', { suites: ['base'] })).status).toBe(200);
    expect((await world.admin('GET', '/suites/base/revisions/1')).text).toContain(canary);
    expect((await world.admin('GET', '/audit/head')).json).toMatchObject({ status: 500, code: 'internal' });
    await expect
      .poll(() => warnings, { timeout: 20_000 })
      .toEqual([expect.stringMatching(/^the audit is not signed .*audit_heads/)]);
    await database.execute(sql`ALTER TABLE audit_heads_gone RENAME TO audit_heads`);
    const { head, fault } = await newestHead(world.admin);
    expect(fault).toBeNull();
    expect(head?.sequence).toBe(await database.$count(audit));
  });
});

describe('holdback audit list', () => {
  test('prints who did what and when on a line each, whatever is in them', async () => {
    const change = '17\n9999  2026-01-01T00:00:00.000Z  admin \u001b[2K\u202e';
    const before = (await newestHead(world.admin)).head?.sequence ?? 0;
    await appendAudit(database, {
      by: 'ci\u001b[31m',
      action: 'score.accepted',
      about: { gate: 'base', change },
    });
    await world.admin('GET', '/suites/base/revisions/1');
    const [newest, first, json] = await Promise.all([
      holdback(['audit', 'list', '--limit', '2']),
      holdback(['audit', 'list', '--after', '0', '--limit', '1']),
      holdback(['audit', 'list', '--after', `${before}`, '--json']),
    ]);
    const lines = newest?.out.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines?.[0]).toMatch(
      /^\d+ {2}\S+Z {2}ci\\u\{1b\}\[31m {2}score\.accepted {2}gate=base change=17\\n9999/,
    );
    expect(lines?.[1]).toMatch(/^\d+ {2}\S+Z {2}\S+ {2}revision\.read {2}suite=base revision=1$/);
    expect(newest?.out).not.toMatch(/[^\P{C}\n]/u);
    expect(first?.out.split('\n')).toHaveLength(2);
    expect(first?.err).toContain('holdback audit list --after 1');
    const { records } = z.object({ records: z.array(auditRecordSchema) }).parse(JSON.parse(json?.out ?? ''));
    expect(records.map(({ sequence }) => sequence)).toEqual([before + 1, before + 2]);
  });
});

describe('the database', () => {
  test('the embedded one refuses to change or delete a record or a head', async () => {
    await refusesToChange(database);
  });

  test('what is recorded last is signed when the service ends, and goes on when it starts again', async () => {
    const dataDir = join(home, 'ended');
    await mkdir(dataDir);
    await copyTemplate(dataDir);
    const first = await startWorld({ ...small, HOLDBACK_DATA_DIR: dataDir });
    await first.admin('POST', '/suites/kept/revisions?activate=true', { cases });
    await first.close();
    const between = await openDatabase({ dataDir });
    const [records, heads] = [
      await between.database.select().from(audit).orderBy(audit.sequence),
      await between.database.select().from(auditHeads).orderBy(auditHeads.sequence),
    ];
    await between.close();
    expect(heads.at(-1)).toMatchObject({ sequence: records.length, hash: records.at(-1)?.hash });
    const second = await startWorld({ ...small, HOLDBACK_DATA_DIR: dataDir });
    onTestFinished(() => second.close());
    await second.admin('GET', '/suites/kept/revisions/1');
    const log = await readLog(second.admin);
    expect(faultIn(log)).toBeUndefined();
    expect(log.records.slice(0, records.length)).toEqual(records);
    expect(log.publicKey).toBe(heads[0]?.publicKey);
    // Without anybody's asking it is signed too.
    await second.admin('GET', '/suites/kept/revisions/1');
    const newest = () => second.service.database.database.$count(audit);
    const signed = async () =>
      (await readAll(second.admin, '/audit/heads', 'heads', auditHeadSchema)).at(-1)?.sequence;
    await expect.poll(signed, { timeout: 20_000 }).toBe(await newest());
  });

  test('a PostgreSQL that two services append to at once has one chain without gaps, and refuses to change it', async () => {
    const server = await startPostgres();
    onTestFinished(() => server.close());
    const shared = { ...small, DATABASE_URL: server.url, HOLDBACK_IDENTITY: await generateX25519Identity() };
    const worlds = [await startWorld(shared), await startWorld(shared)];
    const [one, two] = worlds;
    if (one === undefined || two === undefined) throw new Error('there are two services');
    try {
      await one.admin('POST', '/suites/shared/revisions?activate=true', { cases });
      const replies = await Promise.all(
        Array.from({ length: 40 }, (_, index) => {
          const { admin } = index % 2 === 0 ? one : two;
          return index % 5 === 0
            ? newestHead(admin).then(({ fault }) => expect(fault).toBeNull())
            : index % 3 === 0
              ? admin('GET', '/suites/shared/revisions/1').then(({ status }) => expect(status).toBe(200))
              : admin('PUT', `/gates/g${index}`, { suites: ['shared'] }).then(({ status }) =>
                  expect(status).toBe(200),
                );
        }),
      );
      expect(replies).toHaveLength(40);
      const logs = [await readLog(one.admin), await readLog(two.admin)];
      for (const log of logs) {
        expect(faultIn(log)).toBeUndefined();
        expect(log.records.length).toBeGreaterThanOrEqual(34);
        expect(log.records.map(({ sequence }) => sequence)).toEqual(log.records.map((_, index) => index + 1));
        expect(log.publicKey).toBe(logs[0]?.publicKey);
      }
      const { database: postgres } = one.service.database;
      await refusesToChange(postgres);
      await postgres.execute(sql`ALTER TABLE audit DISABLE TRIGGER ALL`);
      await postgres.execute(
        sql`UPDATE audit SET entry = replace(entry, 'shared', 'spared') WHERE sequence = 2`,
      );
      for (const { admin } of worlds)
        expect(faultIn(await readLog(admin))).toMatchObject({ sequence: 2, kind: 'edited' });
    } finally {
      await Promise.all(worlds.map((each) => each.close()));
    }
  });

  async function refusesToChange(opened: Database): Promise<void> {
    const before = [await opened.select().from(audit), await opened.select().from(auditHeads)];
    for (const change of [
      sql`UPDATE audit SET entry = '{}' WHERE sequence = 1`,
      sql`UPDATE audit SET hash = hash`,
      sql`DELETE FROM audit WHERE sequence = 1`,
      sql`DELETE FROM audit`,
      sql`TRUNCATE audit`,
      sql`INSERT INTO audit SELECT * FROM audit ON CONFLICT (sequence) DO UPDATE SET entry = '{}'`,
    ]) {
      await expect(opened.execute(change)).rejects.toMatchObject({
        cause: { message: expect.stringContaining('audit is append-only') },
      });
    }
    for (const change of [
      sql`UPDATE audit_heads SET signature = ''`,
      sql`DELETE FROM audit_heads`,
      sql`TRUNCATE audit_heads`,
    ]) {
      await expect(opened.execute(change)).rejects.toMatchObject({
        cause: { message: expect.stringContaining('audit_heads is append-only') },
      });
    }
    expect([await opened.select().from(audit), await opened.select().from(auditHeads)]).toEqual(before);
  }
});

/** Runs the command as an admin of the service, with further variables if given. */
function holdback(flags: string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const asAdmin = { HOLDBACK_URL: world.service.address, HOLDBACK_TOKEN: adminToken };
  return runCommand(flags, { ...asAdmin, ...environment });
}
