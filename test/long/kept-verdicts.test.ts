/** Verdicts are answered from memory only while they hold: what anybody commits anywhere, and what the clock ends, is heard at once. */
import { rm } from 'node:fs/promises';
import { generateX25519Identity } from 'age-encryption';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { setPolicy } from '../../gate/policies.ts';
import { KeptAnswers } from '../../migrations/kept-answers.ts';
import { Moments } from '../../migrations/moments.ts';
import { type OpenDatabase, openDatabase } from '../../migrations/open-database.ts';
import { findReader, revokeToken } from '../../server/tokens.ts';
import { digestOf } from '../../suites/sealing/sealing.ts';
import { type PostgresServer, startPostgres } from '../postgres-server.ts';
import { copyTemplate } from '../template-database.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { type Client, type Reply, scoreRequest, sealSuite, startWorld, type World } from '../world.ts';

const right = 'export const run = (n) => n + 1';
const wrong = 'export const run = (n) => n';
const suite = (want: number, more: object = {}) => ({
  cases: [{ name: 'one', input: 1, expect: { equals: want }, ...more }],
});

const ask = (client: Client, source: string, gate = 's') =>
  client(
    'GET',
    `/verdict?${new URLSearchParams({ gate, change: 'change-1', commit: 'c0ffee', candidate: digestOf(Buffer.from(source)) })}`,
  );
const reasonOf = async (asking: Promise<Reply>) => {
  const reply = await asking;
  return reply.status === 200 ? Object(reply.json).reason : reply.status;
};

describe.each(['pglite', 'postgresql'])('on %s, a verdict that was asked for twice', (kind) => {
  let server: PostgresServer | undefined;
  let world: World;
  /** On PostgreSQL the database as another process has it. */
  let elsewhere: OpenDatabase;

  beforeAll(async () => {
    server = kind === 'postgresql' ? await startPostgres() : undefined;
    const identity = await generateX25519Identity();
    const shared: Record<string, string> =
      server === undefined ? {} : { DATABASE_URL: server.url, HOLDBACK_IDENTITY: identity };
    world = await startWorld(shared);
    elsewhere =
      server === undefined
        ? world.service.database
        : await openDatabase({ dataDir: world.dataDir, databaseUrl: server.url });
    await sealSuite(world, 's', suite(2));
    for (const source of [right, wrong]) await world.admin('POST', '/score', scoreRequest('s', source));
  });
  afterAll(async () => {
    if (elsewhere !== world.service.database) await elsewhere.close();
    await world.close();
    await server?.close();
  });

  test('is another when a new one, a policy, a revision or an override says so', async () => {
    const heard = async () => [
      await reasonOf(ask(world.admin, right)),
      await reasonOf(ask(world.admin, wrong)),
    ];
    for (let turn = 0; turn < 3; turn++) expect(await heard()).toEqual(['green', 'red']);
    const { database } = elsewhere;
    const policy = { suites: ['s'], attemptsPerChange: 1_000, disclosure: 'verdict' as const };
    await setPolicy(
      database,
      's',
      { ...policy, overrideApprovals: 1, review: false, publicBadges: false },
      'a test',
    );
    for (let turn = 0; turn < 2; turn++) expect(await heard()).toEqual(['stale', 'stale']);
    for (const source of [right, wrong]) await world.admin('POST', '/score', scoreRequest('s', source));
    for (let turn = 0; turn < 2; turn++) expect(await heard()).toEqual(['green', 'red']);
    const { scoreId } = Object((await ask(world.admin, wrong)).json);
    await world.admin('POST', `/scores/${scoreId}/override`, { reason: 'a test' });
    for (let turn = 0; turn < 2; turn++) expect(await heard()).toEqual(['green', 'overridden']);
    await world.admin('POST', '/suites/s/revisions?activate=true', suite(3));
    for (let turn = 0; turn < 2; turn++) expect(await heard()).toEqual(['stale', 'overridden']);
  });

  test('is refused once its token is revoked, wherever that was', async () => {
    const token = Object(
      (await world.admin('POST', '/tokens', { role: 'harness', name: 'to be revoked' })).json,
    ).token;
    const client = world.client(token);
    for (let turn = 0; turn < 2; turn++) expect((await ask(client, right)).status).toBe(200);
    const { tokenId } = await findReader(elsewhere.database, token);
    await revokeToken(elsewhere.database, tokenId, 'a test');
    expect((await ask(client, right)).status).toBe(401);
  });

  test('ends with the day on which a case or the token expires', async () => {
    await sealSuite(world, 'ending', suite(2, { expires: '2027-01-31' }));
    await world.admin('POST', '/score', scoreRequest('ending', right));
    const body = { role: 'harness', name: 'ends', expiresAt: '2027-03-01T00:00:00.000Z' };
    const client = world.client(Object((await world.admin('POST', '/tokens', body)).json).token);
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const at = async (day: string) => {
      vi.setSystemTime(new Date(`${day}T12:00:00.000Z`));
      const replies = [await ask(client, right, 'ending'), await ask(client, right, 'ending')];
      return replies.map(({ status, json }) => (status === 200 ? Object(json).reason : status));
    };
    expect(await at('2027-01-30')).toEqual(['green', 'green']);
    expect(await at('2027-02-01')).toEqual(['not_scored', 'not_scored']);
    expect(await at('2027-01-29')).toEqual(['green', 'green']);
    expect(await at('2027-03-02')).toEqual([401, 401]);
  });
});

test('the moment is asked for after whoever wants it has come, however many share the question', async () => {
  let asked = 0;
  const answers: ((moment: string) => void)[] = [];
  const moments = new Moments(() => {
    asked++;
    return new Promise((resolve) => answers.push(resolve));
  });
  const first = moments.now();
  const later = [moments.now(), moments.now()];
  expect(asked).toBe(1);
  answers.shift()?.('one');
  expect(await first).toBe('one');
  await vi.waitFor(() => expect(asked).toBe(2));
  const last = moments.now();
  answers.shift()?.('two');
  expect(await Promise.all(later)).toEqual(['two', 'two']);
  await vi.waitFor(() => expect(asked).toBe(3));
  answers.shift()?.('three');
  expect(await last).toBe('three');
});

test('of a database that is ours alone the moment is asked again as soon as it was asked anything else, and not before', async () => {
  let messages = 0;
  let asked = 0;
  let meanwhile = 0;
  const ask = async () => {
    messages += 2;
    await Promise.resolve();
    messages += meanwhile;
    return `${++asked}`;
  };
  const moments = new Moments(ask, { messages: () => messages, messagesPerQuestion: 2 });
  for (let turn = 0; turn < 3; turn++) expect(await moments.now()).toBe('1');
  messages++;
  for (let turn = 0; turn < 3; turn++) expect(await moments.now()).toBe('2');
  messages++;
  meanwhile = 1;
  expect([await moments.now(), await moments.now()]).toEqual(['3', '4']);
  meanwhile = 0;
  for (let turn = 0; turn < 3; turn++) expect(await moments.now()).toBe('5');
});

test('the embedded database is at another moment after each commit', async () => {
  const dataDir = await temporaryFolder();
  await copyTemplate(dataDir);
  const { database, moments, close } = await openDatabase({ dataDir });
  onTestFinished(async () => {
    await close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const seen = [await moments.now()];
  for (const statement of [
    'CREATE TABLE one (n int)',
    'INSERT INTO one VALUES (1)',
    'UPDATE one SET n = 2',
  ]) {
    await database.execute(sql.raw(statement));
    seen.push(await moments.now());
    expect(await moments.now()).toBe(seen.at(-1));
  }
  await database.transaction(async (transaction) => {
    await transaction.execute(sql`UPDATE one SET n = 3`);
  });
  seen.push(await moments.now());
  expect(new Set(seen).size).toBe(5);
  await database.execute(sql`SELECT * FROM one`);
  expect(await moments.now()).toBe(seen.at(-1));
});

test('an answer that could not be read is read again', async () => {
  const kept = new KeptAnswers<number>(10);
  let reads = 0;
  const read = async () => {
    if (++reads === 1) throw new Error('lost');
    return { answer: reads, untilMs: Number.POSITIVE_INFINITY };
  };
  await expect(kept.ask('a', 'now', read)).rejects.toThrow('lost');
  expect(await kept.ask('a', 'now', read)).toBe(2);
  expect(await kept.ask('a', 'now', read)).toBe(2);
  expect(await kept.ask('a', 'then', read)).toBe(3);
});
