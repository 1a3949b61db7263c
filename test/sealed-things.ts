/** What the tests of rotations share: a service full of sealed things, and whether they all still open, and with what. */
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Decrypter } from 'age-encryption';
import { expect, onTestFinished } from 'vitest';
import type { OpenDatabase } from '../migrations/open-database.ts';
import { incidents, revisions, secrets, suiteEvents, verdicts } from '../migrations/tables.ts';
import { copyTemplate } from './template-database.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { type Client, scoreRequest, type World } from './world.ts';

export const small = { HOLDBACK_POOL: '1', HOLDBACK_CONCURRENCY: '1', HOLDBACK_HOSTS_PER_SCORE: '1' };
export const right = 'export function run(x) { return x }';
export const wrong = 'export const run = () => 42';
export const settled = { state: 'settled', unreadable: 0 };

/** A data directory with a database in it, for one test. */
export async function dataFolder(): Promise<string> {
  const path = await temporaryFolder();
  await copyTemplate(path);
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** The identities in a file, and nothing else of it. */
export async function identitiesIn(path: string): Promise<string[]> {
  return (await readFile(path, 'utf8')).split('\n').filter((line) => line.startsWith('AGE-SECRET-KEY-'));
}

/** How many of all stored sealed things a secret opens, and how many there are. */
export async function opened(
  { database }: OpenDatabase,
  secret: string,
): Promise<{ opens: number; all: number }> {
  const sealed = [
    ...(await database.select({ sealed: revisions.sealed }).from(revisions)),
    ...(await database.select({ sealed: verdicts.sealedFailures }).from(verdicts)),
    ...(await database.select({ sealed: secrets.sealed }).from(secrets)),
    ...(await database.select({ sealed: suiteEvents.sealed }).from(suiteEvents)),
    ...(await database.select({ sealed: incidents.sealed }).from(incidents)),
  ].flatMap((row) => (row.sealed === null ? [] : [row.sealed]));
  const tried = await Promise.allSettled(
    sealed.map((bytes) => {
      const decrypter = new Decrypter();
      decrypter.addIdentity(secret);
      return decrypter.decrypt(bytes);
    }),
  );
  return { opens: tried.filter(({ status }) => status === 'fulfilled').length, all: sealed.length };
}

/** Seals revisions, and scores a red and a green candidate. Answers the id of the red score. */
export async function fill(admin: Client, suite: string, count = 3): Promise<string> {
  for (let index = 0; index < count; index++) {
    const cases = [{ name: `${suite} ${index}`, input: index, expect: { equals: index } }];
    await admin('POST', `/suites/${suite}/revisions?activate=true`, { cases });
  }
  await admin('PUT', `/gates/${suite}`, { suites: [suite] });
  const red = await admin('POST', '/score', scoreRequest(suite, wrong, 'red'));
  expect(red.json, red.text).toMatchObject({ reason: 'red', failures: [{ case: `${suite} ${count - 1}` }] });
  return `${Reflect.get(Object(red.json), 'id')}`;
}

/** What `fill` has made is as it was: failures, contents and scores. */
export async function expectAll(admin: Client, suite: string, redId: string, count = 3): Promise<void> {
  const red = await admin('GET', `/scores/${redId}`);
  expect(red.json, red.text).toMatchObject({ reason: 'red', failures: [{ case: `${suite} ${count - 1}` }] });
  for (let revision = 1; revision <= count; revision++) {
    const { json, text } = await admin('GET', `/suites/${suite}/revisions/${revision}`);
    expect(json, text).toMatchObject({ contents: [{ name: `${suite} ${revision - 1}` }] });
  }
  const change = `green-${Math.random()}`;
  const green = await admin('POST', '/score', scoreRequest(suite, right, change));
  expect(green.json, green.text).toMatchObject({ verdict: 'merge', reason: 'green' });
}

/** The state of the identity when nothing is being sealed anew any more. */
export async function untilSettled(admin: Client): Promise<unknown> {
  for (;;) {
    const { json } = await admin('GET', '/identity');
    if (Reflect.get(Object(json), 'state') !== 'resealing') return json;
    await sleep(20);
  }
}

/** What the service says that suites are sealed to. */
export async function recipientOf(world: World): Promise<string> {
  const { json } = await world.client(undefined)('GET', '/recipient');
  return `${Reflect.get(Object(json), 'recipient')}`;
}
