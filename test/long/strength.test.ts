/**
 * How many mutants of a good build a suite kills: on builds so small that their mutants can be counted by hand, against a real
 * service with real hosts.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import {
  type Measurement,
  measurementSchema,
  type StrengthReport,
  strengthSchema,
} from '../../gate/strength/strength.ts';
import { runCommand } from '../command.ts';
import { hostsOf, processesWith } from '../processes.ts';
import { untilSettled } from '../sealed-things.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import {
  adminToken,
  type Client,
  type Reply,
  scoreRequest,
  sealSuite,
  startWorld,
  type World,
} from '../world.ts';

/** One condition, one number, two texts: 50.00 is shipped for nothing. */
const shipping = `// src/shipping.ts
export function run(cents) {
  return cents >= 5000 ? 'free' : 'paid';
}
`;
const exactly = { name: 'exactly 50.00 is free', input: 5000, expect: { equals: 'free' } };
const aCentLess = { name: 'a cent less is paid', input: 4999, expect: { equals: 'paid' } };
const more = { name: 'more is free', input: 9000, expect: { equals: 'free' } };
const nothing = { name: 'it answers', input: 0, expect: { schema: { type: 'string' } } };

let world: World;
let author: Client;

beforeAll(async () => {
  world = await startWorld({ HOLDBACK_HOSTS_PER_SCORE: '2' });
  author = await world.as('author');
});
afterAll(() => world.close());

async function push(suite: string, source: object): Promise<void> {
  const pushed = await author('POST', `/suites/${suite}/revisions`, source);
  expect(pushed.status, pushed.text).toBe(201);
}

const begin = (suite: string, request: object, revision = 1): Promise<Reply> =>
  author('POST', `/suites/${suite}/revisions/${revision}/strength`, request);

async function end(location: string): Promise<Exclude<Measurement, { state: 'running' }>> {
  for (;;) {
    const reply = await author('GET', location);
    expect(reply.status, reply.text).toBe(200);
    const measurement = measurementSchema.parse(reply.json);
    if (measurement.state !== 'running') return measurement;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function measure(suite: string, request: object, revision = 1): Promise<StrengthReport> {
  const begun = await begin(suite, request, revision);
  expect(begun.status, begun.text).toBe(202);
  const ended = await end(begun.headers.get('location') ?? '');
  if (ended.state === 'failed') throw new Error(`${ended.code}: ${ended.message}`);
  return ended.report;
}

async function measureFailing(suite: string, request: object): Promise<{ code: string; message: string }> {
  const ended = await end((await begin(suite, request)).headers.get('location') ?? '');
  if (ended.state !== 'failed') throw new Error('it was measured');
  return { code: ended.code, message: ended.message };
}

test('a full measurement tells what every case is worth', async () => {
  await push('full', { cases: [exactly, aCentLess, more, nothing] });
  // The block, the condition twice, > and <, and both texts.
  expect(await measure('full', { build: shipping, full: true })).toMatchObject({
    made: 7,
    mutants: 7,
    killed: 7,
    score: 1,
    survivors: [],
    timedOut: 0,
    idle: [],
    redundant: [more.name, nothing.name],
    smallest: [exactly.name, aCentLess.name],
    inexact: 0,
  });
});

test('who survives is shown with a diff; a case that kills nothing first is named, and more is not claimed', async () => {
  await push('weak', { cases: [more, { ...more, name: 'the same again', input: 9001 }, nothing] });
  const report = await measure('weak', { build: shipping });
  expect(report).toMatchObject({
    mutants: 7,
    killed: 4,
    score: 4 / 7,
    notReached: 0,
    redundant: null,
    inexact: 4,
  });
  expect(report.survivors.map(({ mutator, reachedBy }) => [mutator, reachedBy])).toEqual([
    ['ConditionalExpression', 3],
    ['EqualityOperator', 3],
    ['StringLiteral', 1],
  ]);
  expect(report.survivors[1]).toEqual({
    mutator: 'EqualityOperator',
    file: 'src/shipping.ts',
    line: 3,
    reachedBy: 3,
    diff: [
      '@@ line 3 @@',
      ' // src/shipping.ts',
      ' export function run(cents) {',
      "-  return cents >= 5000 ? 'free' : 'paid';",
      "+  return cents > 5000 ? 'free' : 'paid';",
      ' }',
      ' ',
    ].join('\n'),
  });
  expect(report.smallest).toEqual([more.name]);
  expect(report.idle).toEqual(['the same again', nothing.name]);
});

test('mutants that loop are killed, whether or not the loop passes the mutated place, and code that no case reaches is told', async () => {
  const sum = `export function run(to) {
  const step = to < 0 ? -1 : 1;
  let sum = 0;
  for (let at = 0; at !== to; at += step) sum += at;
  return sum;
}
export function unused() {
  return 'nobody asks';
}
`;
  await push('loops', {
    cases: [
      { name: 'to three', input: 3, expect: { equals: 3 } },
      { name: 'to minus three', input: -3, expect: { equals: -3 } },
      { name: 'to nothing', input: 0, expect: { equals: 0 } },
    ],
  });
  const report = await measure('loops', { build: sum });
  // step: always -1 and always 1 loop for one of the two; -= and the loop's own condition loop as well.
  expect(report.timedOut).toBeGreaterThanOrEqual(4);
  expect(report.survivors.map(({ line, reachedBy }) => [line, reachedBy])).toEqual([
    // <= for <: of nothing there is no direction.
    [2, 3],
    [7, 0],
    [8, 0],
  ]);
  expect(report).toMatchObject({ notReached: 2, score: (report.mutants - 3) / report.mutants });
});

test('a gate may demand a strength; only mutants of a held reference can show it, and authors alone may ask and read', async () => {
  const references = [{ name: 'right', build: shipping, verdict: 'merge' }];
  await push('demanded', { cases: [more, nothing], references });
  await push('demanded', { cases: [exactly, aCentLess], references });
  const set = await world.admin('PUT', '/gates/strict', { suites: ['demanded'], minimumStrength: 0.9 });
  expect(set.json).toMatchObject({ minimumStrength: 0.9 });
  const refused = async (revision: number) => {
    const { status, json } = await author('POST', `/suites/demanded/revisions/${revision}/activate`);
    expect(json).toMatchObject({ code: 'activation_refused', revision });
    expect(status).toBe(409);
    return JSON.stringify(Reflect.get(Object(json), 'refusals'));
  };
  expect(await refused(2)).toMatch(/was not measured.*holdback suite strength demanded --revision 2/);

  // A build that is sent along proves nothing, however well it does, and neither does a handful of mutants.
  expect(await measure('demanded', { build: shipping }, 2)).toMatchObject({ score: 1, counts: false });
  expect(await measure('demanded', { mutants: 3 }, 2)).toMatchObject({ mutants: 3, made: 7, counts: false });
  expect(await refused(2)).toContain('was not measured');
  expect(await measure('demanded', {}, 1)).toMatchObject({ reference: 'right', counts: true });
  expect(await refused(1)).toContain('strength of at least 90%, and that of the revision is 57.1%');

  const report = await measure('demanded', {}, 2);
  expect(report).toMatchObject({ reference: 'right', counts: true, killed: 7, score: 1 });
  const activated = await author('POST', '/suites/demanded/revisions/2/activate');
  expect(activated.json).toMatchObject({ state: 'active' });

  const path = '/suites/demanded/revisions/2/strength';
  const again = await author('GET', `${path}/${report.id}`);
  expect(again.json).toEqual({ state: 'finished', id: report.id, report });
  const strengths: unknown = Reflect.get(Object((await author('GET', path)).json), 'strengths');
  expect(strengths).toHaveLength(3);
  const numbers = strengthSchema.strip().parse(report);
  expect(strengths).toContainEqual(numbers);
  // The record is history, and its report follows the identity.
  const { database } = world.service.database;
  const changed = database.execute(sql`UPDATE strengths SET killed = 0, score = 0`);
  await expect(changed).rejects.toMatchObject({ cause: { message: expect.stringContaining('append-only') } });
  await world.admin('POST', '/identity/rotate');
  expect(await untilSettled(world.admin)).toMatchObject({ unreadable: 0 });
  expect((await author('GET', `${path}/${report.id}`)).json).toEqual(again.json);

  const audit = await world.admin('GET', '/audit?limit=1000');
  expect(audit.text).toMatch(new RegExp(`revision\\.read.*${report.id}`));
  expect(audit.text).toMatch(new RegExp(`strength\\.measured.*${report.id}`));
  for (const role of ['lead', 'ci', 'harness'] as const) {
    const client = await world.as(role);
    expect((await client('POST', path, {})).status).toBe(403);
    expect((await client('GET', path)).status).toBe(403);
    expect((await client('GET', `${path}/${report.id}`)).status).toBe(403);
  }
});

test('cases of every kind kill: compared with a reference, in steps, in a time zone', async () => {
  const build = `${shipping}export const hour = () => new Date(0).getHours() + 0;\n`;
  await push('kinds', {
    references: [{ name: 'right', build, verdict: 'merge' }],
    cases: [
      { name: 'as the reference', input: 5000, sameAs: 'right' },
      { name: 'in Berlin', call: 'hour', zone: 'Europe/Berlin', expect: { equals: 1 } },
      { name: 'in steps', steps: [{ input: 4999, expect: { equals: 'paid' } }, { input: 9000 }] },
    ],
  });
  const report = await measure('kinds', { full: true });
  // Of the function of Berlin the one, and not that its hour is + 0.
  expect(report).toMatchObject({ mutants: 9, killed: 8, idle: [], notReached: 0, counts: true });
  expect(report.survivors).toMatchObject([{ mutator: 'ArithmeticOperator', reachedBy: 1 }]);
});

test('a build that fails itself, or is none, is told by words; without a build nothing begins', async () => {
  await push('refused', { cases: [exactly] });
  const wrong = 'export const run = (cents) => (cents > 5000 ? "free" : "paid")';
  expect(await measureFailing('refused', { build: wrong })).toEqual({
    code: 'build_not_good',
    message: expect.stringContaining('"exactly 50.00 is free"'),
  });
  expect(await measureFailing('refused', { build: 'export const run = (' })).toEqual({
    code: 'build_not_mutable',
    message: expect.stringMatching(/^no mutants can be made of the build: Unexpected token/),
  });
  const begun = await begin('refused', {});
  expect(begun.status).toBe(422);
  expect(begun.json).toMatchObject({ code: 'reference_not_found' });
  expect((await begin('refused', { reference: 'right' })).json).toMatchObject({
    code: 'reference_not_found',
  });
  expect((await author('GET', `/suites/refused/revisions/1/strength/${crypto.randomUUID()}`)).status).toBe(
    404,
  );
});

test('the command bundles a build, tells what survives, and ends with 1 below --at-least', async () => {
  await push('commanded', { cases: [more, nothing] });
  const folder = await temporaryFolder();
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'limit.ts'), 'export const limit: number = 5_000;\n');
  await writeFile(
    join(folder, 'shipping.ts'),
    "import { limit } from './limit';\nexport const run = (cents: number) => (cents >= limit ? 'free' : 'paid');\n",
  );
  const environment = { HOLDBACK_URL: world.service.address, HOLDBACK_TOKEN: adminToken };
  const flags = ['suite', 'strength', 'commanded', '--build', 'shipping.ts', '--at-least', '90%'];
  const { code, out, err } = await runCommand(flags, environment, { cwd: folder });
  expect(out).toContain(
    'suite commanded, revision 1: 4 of 7 mutants of the build killed, a strength of 57.1%',
  );
  expect(out).toMatch(
    /survives: EqualityOperator in shipping\.ts, line \d+ of the bundle, reached by 2 cases/,
  );
  expect(out).toContain('  +var run = (cents) => cents > limit ? "free" : "paid";');
  expect(out).toContain('1 case of 2 kill as much as all');
  expect(out).toContain('This does not count for a gate');
  expect(err).toBe('holdback: the strength is 0.571, which is less than 0.9\n');
  expect(code).toBe(1);
});

test('scores go on meanwhile, and when the service ends no process is left', async () => {
  const other = await startWorld();
  const cases = Array.from({ length: 40 }, (_, index) => ({ ...exactly, name: `${index}` }));
  await sealSuite(other, 'busy', { cases });
  const slow =
    'export function run(cents) { let n = 0; for (let i = 0; i < 3e6; i++) n += i % 2; return n > 0 && cents >= 5000 ? "free" : "paid" }';
  const path = '/suites/busy/revisions/1/strength';
  const begun = await other.admin('POST', path, { build: slow, full: true });
  const location = begun.headers.get('location') ?? '';
  const ci = await other.as('ci');
  const score = await ci('POST', '/score', scoreRequest('busy', shipping));
  expect(score.json).toMatchObject({ verdict: 'merge' });
  expect((await other.admin('GET', location)).json).toMatchObject({ state: 'running' });
  await other.close();
  const own = [...world.service.runners.pids, ...world.service.graders.pids];
  expect(hostsOf(process.pid).filter(({ pid }) => !own.includes(pid))).toEqual([]);
  expect(processesWith('instrument-process').filter(({ parent }) => parent === process.pid)).toEqual([]);
});
