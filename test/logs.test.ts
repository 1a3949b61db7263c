/** What the service prints: JSON lines, and in none of them a secret, a case or a candidate, however much it is told to print. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DrizzleQueryError } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { causeOf } from '../gate/errors.ts';
import { DatabaseError } from '../migrations/errors.ts';
import { failureText } from '../server/log.ts';
import { type ServiceProcess, startProcess } from './service-process.ts';
import { copyTemplate } from './template-database.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { adminToken, type Client, clientOf } from './world.ts';

/** In everything that must not be printed. */
const canary = 'kanarienvogel';
let service: ServiceProcess;
let address: string;
let admin: Client;
let accepted: string;
let indeterminate: string;
const tokens: string[] = [adminToken];

beforeAll(async () => {
  const [dataDir, TMPDIR] = [await temporaryFolder(), await temporaryFolder()];
  await copyTemplate(dataDir);
  service = startProcess({
    TMPDIR,
    HOLDBACK_DATA_DIR: dataDir,
    HOLDBACK_ADMIN_TOKEN: adminToken,
    HOLDBACK_METRICS_TOKEN: `${canary}-metrics-token`,
    HOLDBACK_LOG_LEVEL: 'trace',
    HOLDBACK_POOL: '1',
    HOLDBACK_SLOT_MS: '0',
  });
  address = await service.listening;
  admin = clientOf(address, adminToken);
  await admin('POST', '/suites/prices/revisions?activate=true', {
    cases: [{ name: `${canary}-name`, input: `${canary}-input`, expect: { equals: `${canary}-output` } }],
  });
  await admin('PUT', '/gates/prices', { suites: ['prices'] });
  const made = await admin('POST', '/tokens', { role: 'ci', name: 'CI' });
  const token = `${Reflect.get(Object(made.json), 'token')}`;
  tokens.push(token);
  const ci = clientOf(address, token);
  const change = { id: '17', commit: 'c0ffee' };
  const scored = await ci('POST', '/score', {
    gate: 'prices',
    change,
    candidate: { source: `export const run = (x) => { throw new Error('${canary}-thrown' + x) }` },
  });
  accepted = `${Reflect.get(Object(scored.json), 'id')}`;
  // What is refused is told to its caller, and not to the log.
  await ci('POST', '/score', { gate: 'prices', change, candidate: { source: `${canary}` }, [canary]: 1 });
  await ci('POST', '/score', `{"gate": "${canary}`);
  await ci('GET', `/verdict?token=${token}&${canary}=1`);
  await ci('GET', `/${token.replace('_', '%5F')}`);
  await ci('GET', `/%ff/${token.replace('_', '%5f')}`);
  await ci('GET', '/gates', undefined, { cookie: `session=${canary}; token=${token}` });
  await clientOf(address, `hb_${canary.repeat(3)}`)('GET', '/gates');
  await clientOf(address, undefined)('GET', '/gates', undefined, { authorization: `Basic ${canary}` });
  await clientOf(address, `${canary}-metrics-token`)('GET', '/metrics');
  // No host starts any more; the one that was ready is used up by the first of these.
  const folders = (await readdir(TMPDIR)).filter((name) => name.startsWith('holdback-host-'));
  for (const name of folders) await rm(join(TMPDIR, name), { recursive: true });
  for (const commit of ['c1', 'c2']) {
    const source = `export const run = () => '${canary}${commit}'`;
    const failed = await ci('POST', '/score', {
      gate: 'prices',
      change: { id: '18', commit },
      candidate: { source },
    });
    indeterminate = `${Reflect.get(Object(failed.json), 'id')}`;
  }
  await service.end();
});
afterAll(() => service.end());

/** The lines of the log: all that was printed but what is for people. */
function lines(): Record<string, unknown>[] {
  const printed = service.printed().trim().split('\n');
  return printed.filter((line) => !line.startsWith('Holdback listens on ')).map((line) => JSON.parse(line));
}

test('what ends the process is told like the rest: no password of a URL, and nothing of the statement that failed', async () => {
  const fault = `Error('postgres://holdback:${canary}@database/holdback')`;
  const broken = startProcess({
    HOLDBACK_DATA_DIR: await temporaryFolder(),
    NODE_OPTIONS: `--import=data:text/javascript,setTimeout(()=>Promise.reject(${fault}),1000)`,
  });
  expect(await broken.ended).toBe(1);
  expect(broken.printed()).toMatch(
    /^holdback ended, because of an error that nobody caught: Error: postgres/m,
  );
  expect(broken.printed()).not.toContain(canary);
  const refused = new DrizzleQueryError(`insert ${canary}`, [canary], new Error('it is refused'));
  expect(failureText(refused)).toMatch(/^Error: it is refused\n/);
  expect(failureText(refused)).not.toContain(canary);
});

test('every line is JSON, with its level, its time and, where there is one, its request', () => {
  expect(lines().length).toBeGreaterThan(10);
  for (const line of lines())
    expect(line).toMatchObject({ level: expect.any(Number), time: expect.any(Number) });
  const score = lines().filter(({ req }) => Reflect.get(Object(req), 'path') === '/score');
  expect(score.length).toBeGreaterThanOrEqual(3);
  for (const line of score) expect(line).toMatchObject({ reqId: expect.any(String) });
});

test('a score has a line when it is accepted, and one when it is decided', () => {
  const candidate = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);
  const of = (msg: string) => lines().filter((line) => line.msg === msg && line.score === accepted);
  expect(of('score accepted')).toEqual([
    expect.objectContaining({ score: accepted, gate: 'prices', change: '17', candidate }),
  ]);
  expect(of('score decided')).toEqual([
    expect.objectContaining({ score: accepted, gate: 'prices', verdict: 'block', reason: 'red' }),
  ]);
});

test('a score that is indeterminate through a failure of ours has a line that says what failed', () => {
  const told = lines().filter(({ msg }) => `${msg}`.startsWith(`score ${indeterminate} is `));
  const cause = 'host_unavailable: a runner host did not become ready: it ended';
  expect(told.map(({ msg }) => msg)).toEqual([
    `score ${indeterminate} is tried again: ${cause}`,
    `score ${indeterminate} is indeterminate: ${cause}`,
  ]);
});

test('a cause tells what the database, the system and we say, and of what others say, which may quote a case, only what and where it was', () => {
  const parse = () => JSON.parse(canary);
  expect(parse).toThrow(canary.slice(0, 5));
  const caught = (() => {
    try {
      return parse();
    } catch (error) {
      return error;
    }
  })();
  const refused = Object.assign(new Error(`invalid input syntax: "${canary}"`), {
    severity: 'ERROR',
    code: '22P02',
  });
  const full = Object.assign(new Error('could not extend file'), { severity: 'ERROR', code: '53100' });
  const query = (cause: Error) => new DrizzleQueryError(`insert ${canary}`, [canary], cause);
  expect(causeOf(caught)).toMatch(/^SyntaxError at JSON\.parse .*logs\.test\.ts/);
  expect(causeOf(query(refused))).toMatch(/^Error \(22P02\) at .*logs\.test\.ts/);
  expect(causeOf(query(full))).toBe('53100: could not extend file');
  const away = new DatabaseError('database_unavailable', 'none was to be had', {
    cause: new AggregateError([refused]),
  });
  expect(causeOf(query(away))).toMatch(
    /^database_unavailable: none was to be had, because of Error \(22P02\) at /,
  );
  for (const error of [caught, query(refused), query(away)])
    expect(causeOf(error)).not.toContain(canary.slice(0, 5));
});

test('no line tells of a token, a cookie, a case or a candidate, at level trace', () => {
  expect(service.printed()).not.toContain(canary);
  for (const token of tokens) {
    expect(service.printed()).not.toContain(token);
    // However it was encoded.
    expect(service.printed()).not.toContain(token.replace(/^hb_/, ''));
  }
});
