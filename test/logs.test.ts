/** What the service prints: JSON lines, and in none of them a secret, a case or a candidate, however much it is told to print. */
import { DrizzleQueryError } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
const tokens: string[] = [adminToken];

beforeAll(async () => {
  const dataDir = await temporaryFolder();
  await copyTemplate(dataDir);
  service = startProcess({
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
  const of = (msg: string) => lines().filter((line) => line.msg === msg);
  expect(of('score accepted')).toEqual([
    expect.objectContaining({ score: accepted, gate: 'prices', change: '17', candidate }),
  ]);
  expect(of('score decided')).toEqual([
    expect.objectContaining({ score: accepted, gate: 'prices', verdict: 'block', reason: 'red' }),
  ]);
});

test('no line tells of a token, a cookie, a case or a candidate, at level trace', () => {
  expect(service.printed()).not.toContain(canary);
  for (const token of tokens) {
    expect(service.printed()).not.toContain(token);
    // However it was encoded.
    expect(service.printed()).not.toContain(token.replace(/^hb_/, ''));
  }
});
