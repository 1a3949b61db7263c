/** A suite is tried on the builds that it holds before it judges: activation, what is refused and why, and again on other runners. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { refusalSchema } from '../../gate/activation/condition.ts';
import { judgeRounds } from '../../gate/activation/judge-rounds.ts';
import { preflightSchema } from '../../gate/activation/preflight-report.ts';
import type { CaseResult } from '../../gate/decide.ts';
import { activations, preflights } from '../../migrations/tables.ts';
import { runCommand } from '../command.ts';
import { adminToken, scoreRequest, startWorld, type World } from '../world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld({ HOLDBACK_POOL: '2', HOLDBACK_PREFLIGHT_ROUNDS: '3' });
});
afterAll(() => world.close());

const cases = [
  { name: 'twice two', input: 2, expect: { equals: 4 } },
  { name: 'twice seven', input: 7, expect: { equals: 14 } },
];
const right = { name: 'right', build: 'export const run = (n) => n * 2;', verdict: 'merge' };
const wrong = { name: 'wrong', build: 'export const run = (n) => n + 2;', verdict: 'block' };
/** Right or wrong as chance has it, which a seed decides. */
const moody = {
  name: 'moody',
  build: 'export const run = (n) => n * 2 + (Math.random() < 0.5);',
  verdict: 'merge',
};

const refusedSchema = z.object({
  status: z.literal(409),
  code: z.literal('activation_refused'),
  revision: z.int(),
  refusals: z.array(refusalSchema),
});

function push(suite: string, source: object) {
  return world.admin('POST', `/suites/${suite}/revisions?activate=true`, source);
}

async function refused(suite: string, source: object) {
  const reply = await push(suite, source);
  expect(reply.status, reply.text).toBe(409);
  return refusedSchema.parse(reply.json);
}

async function preflight(suite: string, query = '') {
  const reply = await world.admin('POST', `/suites/${suite}/revisions/1/preflight${query}`);
  expect(reply.status, reply.text).toBe(200);
  return preflightSchema.parse(reply.json);
}

describe('a revision is activated', () => {
  test('where builds that are right pass and builds that are wrong are blocked, which is recorded', async () => {
    const reply = await push('sound', { cases, references: [right, wrong] });
    expect(reply.status, reply.text).toBe(201);
    expect(reply.json).toMatchObject({ state: 'active' });
    expect(reply.json).not.toHaveProperty('notes');
    const rows = (await world.service.database.database.select().from(preflights)).filter(
      ({ suite }) => suite === 'sound',
    );
    expect(rows).toMatchObject([{ revision: 1, rounds: 3, passed: true }]);
    expect(rows[0]?.runner).toMatch(/^node \d+\.\d+\.\d+, hosts [0-9a-f]{12}, graders [0-9a-f]{12}$/);
    const audit = await world.admin('GET', '/audit?limit=1000');
    expect(audit.text).toContain('revision.preflighted');
  });

  test('without references too, and its author is told what that does not show', async () => {
    const reply = await push('bare', { cases });
    expect(reply.json).toMatchObject({
      state: 'active',
      notes: [expect.stringContaining('no reference build')],
    });
    expect(await preflight('bare')).toMatchObject({ references: 0, passed: true, findings: [] });
  });

  test('and not run again by its number, where it passed in as many rounds before', async () => {
    const drafted = await world.admin('POST', '/suites/early/revisions', { cases, references: [right] });
    expect(drafted.status).toBe(201);
    expect(await preflight('early', '?rounds=3')).toMatchObject({ passed: true, rounds: 3 });
    const activated = await world.admin('POST', '/suites/early/revisions/1/activate');
    expect(activated.json).toMatchObject({ state: 'active' });
    const rows = await world.service.database.database.select().from(preflights);
    expect(rows.filter(({ suite }) => suite === 'early')).toHaveLength(1);
  });
});

describe('an activation is refused, and the draft stays,', () => {
  test('where a case fails a build that is right', async () => {
    const mistaken = [...cases, { name: 'a mistake', input: 3, expect: { equals: 7 } }];
    const { revision, refusals } = await refused('mistaken', { cases: mistaken, references: [right] });
    expect(revision).toBe(1);
    expect(refusals).toHaveLength(1);
    expect(refusals[0]?.code).toBe('preflight_failed');
    expect(refusals[0]?.details?.join()).toContain(
      'reference right, which is right, failed: case "a mistake"',
    );
    expect(refusals[0]?.details?.join()).toContain('it should equal 7, but is 6');
    expect(refusals[0]?.advice).toContain('holdback suite preflight mistaken 1');
    const suite = await world.admin('GET', '/suites/mistaken');
    expect(suite.json).toMatchObject({ activeRevision: null, revisions: [{ revision: 1, state: 'draft' }] });
  });

  test('where a build that is wrong is let through', async () => {
    const weak = { ...wrong, build: 'export const run = (n) => n * 2;' };
    const { refusals } = await refused('weak', { cases, references: [right, weak] });
    expect(refusals[0]?.details?.join()).toContain('reference wrong, which is wrong, was not blocked');
  });

  test('where a case goes both ways, which is named', async () => {
    const found = await world.admin('POST', '/suites/moody/revisions', { cases, references: [moody] });
    expect(found.status).toBe(201);
    const { passed, findings } = await preflight('moody', '?rounds=8');
    expect(passed).toBe(false);
    expect(findings).toContainEqual(
      expect.objectContaining({ kind: 'flaky', reference: 'moody', case: 'twice two' }),
    );
    const activation = await world.admin('POST', '/suites/moody/revisions/1/activate');
    expect(activation.status).toBe(409);
  });

  test('where a build hangs, and says so', async () => {
    const hangs = { name: 'hangs', build: 'export const run = () => { for (;;); };', verdict: 'merge' };
    const { refusals } = await refused('odd', {
      cases: cases.slice(0, 1),
      references: [hangs],
      limits: { caseMs: 100 },
    });
    expect(refusals[0]?.details?.join()).toContain('reference hangs, which is right, failed');
    expect(refusals[0]?.details?.join()).toContain('it ended as timed_out');
  });

  test('where others are compared with an output that depends on chance', async () => {
    const chance = { name: 'chance', build: 'export const run = () => Math.random();', verdict: 'merge' };
    const { refusals } = await refused('chance', {
      cases: [{ name: 'drawn', sameAs: 'chance' }],
      references: [chance],
    });
    expect(refusals[0]?.details?.join()).toContain('reference chance: flaky: case "drawn"');
    const seeded = await push('seeded', {
      cases: [{ name: 'drawn', sameAs: 'chance', seed: 7 }],
      references: [chance],
    });
    expect(seeded.status, seeded.text).toBe(201);
  });

  test('and the command says so, with what to do', async () => {
    const environment = { HOLDBACK_URL: world.service.address, HOLDBACK_TOKEN: adminToken };
    const run = (...flags: string[]) => runCommand(flags, environment);
    const activated = await run('suite', 'activate', 'mistaken', '1');
    expect(activated.code).toBe(2);
    expect(activated.err).toContain('revision 1 was not activated, and stays as it is:');
    expect(activated.err).toMatch(/its references do not behave:\n.* {4}- reference right.*"a mistake"/);
    const asJson = await run('suite', 'activate', 'mistaken', '1', '--json');
    expect(JSON.parse(asJson.out)).toMatchObject({
      error: { code: 'activation_refused' },
      revision: 1,
      refusals: [{ code: 'preflight_failed' }],
    });
    const told = await run('suite', 'preflight', 'mistaken', '--json');
    expect(told.code).toBe(1);
    expect(JSON.parse(told.out)).toMatchObject({ passed: false, findings: [{ case: 'a mistake' }] });
    const sound = await run('suite', 'preflight', 'sound', '1', '--rounds', '1');
    expect(sound.code, sound.err).toBe(0);
    expect(sound.out).toContain('the references behave: 2 references, 1 round each');
  });
});

describe('when what runs candidates has changed since the activation', () => {
  /** A suite as an earlier version of the service leaves it: active, and its references behaved there. */
  async function leaveActive(suite: string, source: object): Promise<void> {
    const drafted = await world.admin('POST', `/suites/${suite}/revisions`, source);
    expect(drafted.status, drafted.text).toBe(201);
    const { database } = world.service.database;
    const row = { suite, revision: 1, runner: 'node 1.0.0', rounds: 5, passed: true, by: 'a test' };
    await database.insert(preflights).values(row);
    await database.insert(activations).values({ suite, revision: 1, activatedBy: 'a test' });
    await world.admin('PUT', `/gates/${suite}`, { suites: [suite] });
  }

  async function preflightsOf(suite: string) {
    const rows = await world.service.database.database.select().from(preflights);
    return rows.filter((row) => row.suite === suite && row.by === 'service');
  }

  test('references are run before the next score, once for all that wait, and candidates are judged as ever', async () => {
    await leaveActive('moved', { cases, references: [right, wrong] });
    const texts = ['n * 2', 'n + n', 'n + 2'];
    const replies = await Promise.all(
      texts.map((text, index) =>
        world.admin(
          'POST',
          '/score',
          scoreRequest('moved', `export const run = (n) => ${text};`, `change-${index}`),
        ),
      ),
    );
    const verdicts = replies.map(({ json }) => Reflect.get(Object(json), 'verdict'));
    expect(verdicts).toEqual(['merge', 'merge', 'block']);
    expect(await preflightsOf('moved')).toMatchObject([{ passed: true, rounds: 3 }]);
  });

  test('and one that comes to grief where others are compared with it judges nobody, though it passed before', async () => {
    const cases = [{ name: 'compared', input: 1, sameAs: 'right' }];
    const grief = { name: 'right', build: 'export const run = () => Symbol();', verdict: 'merge' };
    await leaveActive('grief', { cases, references: [grief] });
    const { database } = world.service.database;
    const [sound] = (await database.select().from(preflights)).filter(({ suite }) => suite === 'sound');
    const row = {
      suite: 'grief',
      revision: 1,
      runner: sound?.runner ?? '',
      rounds: 5,
      passed: true,
      by: 'a test',
    };
    await database.insert(preflights).values(row);
    const scored = await world.admin('POST', '/score', scoreRequest('grief', right.build));
    expect(scored.json).toMatchObject({
      verdict: 'block',
      reason: 'indeterminate',
      alarms: [{ suite: 'grief', revision: 1, kind: 'preflight', cases: 1 }],
    });
  });

  test('and where they do not behave, nobody is judged: indeterminate, with an alarm that leads see', async () => {
    await leaveActive('fallen', { cases, references: [{ ...wrong, verdict: 'merge' }] });
    for (const change of ['one', 'two']) {
      const scored = await world.admin('POST', '/score', scoreRequest('fallen', right.build, change));
      expect(scored.json).toMatchObject({ verdict: 'block', reason: 'indeterminate' });
    }
    // Not again for every score.
    expect(await preflightsOf('fallen')).toMatchObject([{ passed: false }]);
    const lead = await world.as('lead');
    const { json } = await lead('GET', '/alarms?limit=2');
    expect(json).toMatchObject({ alarms: [{ suite: 'fallen', kind: 'preflight' }, { suite: 'fallen' }] });
  });
});

describe('the judgement of rounds', () => {
  const result = (passed: boolean, more: Partial<CaseResult> = {}): CaseResult => ({
    name: 'one',
    position: 0,
    outcome: 'returned',
    passed,
    message: passed ? '' : 'it should equal 4, but is 5',
    durationMs: 1,
    ...more,
  });
  const round = (...results: CaseResult[]) => ({
    suite: 's',
    revision: 1,
    positions: [0],
    proving: 1,
    results,
  });
  const merge = { name: 'right', verdict: 'merge' as const };
  const block = { name: 'wrong', verdict: 'block' as const };

  test('finds nothing where all goes as it should, each time', () => {
    expect(judgeRounds(merge, [round(result(true)), round(result(true))])).toEqual([]);
    expect(judgeRounds(block, [round(result(false)), round(result(false))])).toEqual([]);
  });

  test('counts what is missing against the suite', () => {
    expect(judgeRounds(merge, [])).toMatchObject([{ kind: 'failed' }]);
    expect(judgeRounds(block, [])).toMatchObject([{ kind: 'failed' }]);
    expect(judgeRounds(merge, [round()])).toMatchObject([{ kind: 'failed' }]);
    expect(judgeRounds(merge, [round(result(true)), round()])).toMatchObject([{ kind: 'flaky' }]);
  });

  test('finds a case that goes both ways, of whichever build, and one that ends in different ways', () => {
    const both = [round(result(true)), round(result(false))];
    expect(judgeRounds(merge, both)).toMatchObject([{ kind: 'flaky', case: 'one' }]);
    expect(judgeRounds(block, both)).toMatchObject([{ kind: 'passed' }, { kind: 'flaky', case: 'one' }]);
    const ended = [round(result(false)), round(result(false, { outcome: 'timed_out' }))];
    expect(judgeRounds(block, ended)).toMatchObject([{ kind: 'flaky' }]);
  });

  test('lets a case of generated inputs end as its inputs have it, as long as the right build passes each time', () => {
    const generated = () => true;
    const threw = result(true, { outcome: 'threw' });
    expect(judgeRounds(merge, [round(result(true)), round(threw)], generated)).toEqual([]);
    expect(judgeRounds(merge, [round(result(true)), round(threw)])).toMatchObject([{ kind: 'flaky' }]);
    const missed = [round(result(true)), round(result(false))];
    expect(judgeRounds(merge, missed, generated)).toMatchObject([{ kind: 'flaky' }]);
    expect(judgeRounds(merge, [round(threw), round()], generated)).toMatchObject([{ kind: 'flaky' }]);
    expect(judgeRounds(block, [round(result(false)), round(threw)], generated)).toMatchObject([
      { kind: 'passed' },
    ]);
  });

  test('cuts what it tells to a length that can be read', () => {
    const long = round(result(false, { message: 'x'.repeat(10_000) }));
    expect(judgeRounds(merge, [long])[0]?.detail.length).toBeLessThan(400);
  });
});
