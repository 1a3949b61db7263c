/**
 * What readers learn. For any two suites that give the same verdict, whatever agents hear is the same, byte for byte and slot for
 * slot; and who may see more sees it.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { appendScore } from '../../gate/append-history.ts';
import { storeCandidate } from '../../gate/candidates.ts';
import { isKnown, knownFrom } from '../../gate/disclosure/disclosure.ts';
import { decidedWith, publishedAt, slotOf } from '../../gate/disclosure/publication.ts';
import { findScore, type ScoreRecord } from '../../gate/history.ts';
import { askVerdict } from '../../gate/verdict.ts';
import { verdicts } from '../../migrations/tables.ts';
import { putClockForward } from '../put-clock-forward.ts';
import { type Client, openWorld, type Reply, startWorld, type World } from '../world.ts';

/** What differs from request to request by nature, and says nothing: ids and times. */
const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** All that a caller gets to see of a reply. */
function seen({ status, headers, text }: Reply): string {
  const shown = [...headers].filter(([name]) => name !== 'date').map(([name, value]) => `${name}: ${value}`);
  return [status, ...shown, '', text].join('\n').replace(uuid, '<id>');
}

/** A candidate that does as its input says: gives it back, throws it, or gives something that cannot be carried. */
const obedient = `exports.run = (input) => {
  if (input.does === 'throw') throw new Error(input.with);
  if (input.does === 'refuse') return () => input.with;
  return input.with;
};`;

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const anyCase = fc.record({
  name: text.filter((name) => name.length > 0),
  input: fc.record({ does: fc.constantFrom('return', 'throw'), with: text }),
  tags: fc.array(fc.constantFrom('slow', 'money'), { maxLength: 1 }),
});

/** A suite that the candidate passes, or one that it does not. */
const anySuite = (passes: boolean) =>
  fc
    .tuple(
      fc.uniqueArray(anyCase, { minLength: 1, maxLength: 8, selector: ({ name }) => name }),
      fc.array(fc.constantFrom('value', 'kind', 'refuse'), { minLength: 1, maxLength: 3 }),
    )
    .map(([cases, faults]) =>
      cases.map(({ name, input, tags }, index) => {
        const fault = passes ? undefined : faults[index];
        const does = fault === 'refuse' ? 'refuse' : input.does;
        const throws = (input.does === 'throw') !== (fault === 'kind');
        const wanted =
          fault === 'value' ? { equals: [input.with, 'something else'] } : { equals: input.with };
        const expectation = throws && fault !== 'value' ? { throws: true } : wanted;
        return { name, tags, input: { ...input, does }, expect: expectation };
      }),
    );

type Agents = { ci: Client; harness: Client };

/** Everything that agents can ask, before, while and after a build is scored. */
async function observe({ ci, harness }: Agents, turn: number): Promise<string[]> {
  const change = { id: `PR-${turn}`, commit: 'c0ffee' };
  const candidate = `${obedient} // ${turn}`;
  const uploaded = await ci('POST', '/candidates', candidate, { 'content-type': 'text/javascript' });
  const digest = `${Reflect.get(Object(uploaded.json), 'digest')}`;
  const verdict = `/verdict?gate=guarded&change=${change.id}&commit=c0ffee&candidate=${digest}`;
  const request = { gate: 'guarded', change, candidate: { digest } };
  const replies = [uploaded, await harness('GET', verdict)];
  const scored = await ci('POST', '/score', request, { 'idempotency-key': `turn ${turn}` });
  const id = `${Reflect.get(Object(scored.json), 'id')}`;
  replies.push(scored);
  for (const asks of [ci, harness]) {
    for (const path of [
      verdict,
      `/scores/${id}`,
      '/changes/PR-1?gate=guarded',
      '/changes',
      `/scores/${id}/cases`,
      '/gates/guarded',
      '/gates/guarded/exposure',
      '/suites',
      '/suites/guarded',
      '/suites/guarded/revisions/1',
      '/alarms',
      '/tokens',
      '/healthz',
      '/readyz',
      '/suites/no-such',
      '/metrics',
    ]) {
      replies.push(await asks('GET', path));
    }
    replies.push(
      await asks('POST', `/scores/${id}/override`, { reason: 'let me' }),
      await asks('POST', '/suites/guarded/revisions', { cases: [] }),
      await asks('POST', '/suites/guarded/revisions/1/activate'),
    );
  }
  replies.push(
    await ci('POST', '/score', request),
    await ci('POST', '/score', request, { 'idempotency-key': `turn ${turn}` }),
    await ci('POST', '/score', { ...request, change: { ...change, commit: 'other' } }, { prefer: 'wait=30' }),
    await ci('POST', '/score', { ...request, gate: 'no-such' }),
    await ci('POST', '/score', { ...request, candidate: { digest: `sha256:${'0'.repeat(64)}` } }),
  );
  return replies.map(seen);
}

describe('two suites that give the same verdict', () => {
  let worlds: World[];
  beforeAll(async () => {
    worlds = await Promise.all([startWorld(), startWorld()]);
  });
  afterAll(async () => {
    await Promise.all(worlds.map((world) => world.close()));
  });

  test('look the same to ci and harness, byte for byte, whatever is in them', async () => {
    let turn = 0;
    const pairs = fc
      .boolean()
      .chain((passes) => fc.tuple(fc.constant(passes), anySuite(passes), anySuite(passes)));
    const agents = await Promise.all(
      worlds.map(async (world) => ({ ci: await world.as('ci'), harness: await world.as('harness') })),
    );
    const property = fc.asyncProperty(pairs, async ([passes, ...suites]) => {
      turn++;
      const observed = await Promise.all(
        worlds.map(async (world, index) => {
          const pushed = await world.admin('POST', '/suites/guarded/revisions?activate=true', {
            cases: suites[index],
          });
          expect(pushed.status, pushed.text).toBe(201);
          await world.admin('PUT', '/gates/guarded', { suites: ['guarded'] });
          const [one] = agents.slice(index);
          return one === undefined ? [] : observe(one, turn);
        }),
      );
      expect(observed[0]).toEqual(observed[1]);
      expect(observed[0]?.join('\n')).toContain(passes ? '"verdict":"merge"' : '"verdict":"block"');
    });
    await fc.assert(property, { numRuns: 5 });
  });
});

describe('a gate that has agents told more', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
    const cases = [1, 2, 3].map((input) => ({ name: `case ${input}`, input, expect: { equals: 1 } }));
    await world.admin('POST', '/suites/open/revisions?activate=true', { cases });
  });
  afterAll(() => world.close());

  const score = async (disclosure: string, change: string) => {
    await world.admin('PUT', '/gates/open', { suites: ['open'], disclosure });
    const request = {
      gate: 'open',
      change: { id: change, commit: 'c' },
      candidate: { source: `exports.run = (input) => input; // ${change}` },
    };
    return (await world.as('ci'))('POST', '/score', request);
  };

  test('has them told counts and no more, or names and no more', async () => {
    const counted = await score('counts', 'PR-1');
    expect(counted.json).toMatchObject({ reason: 'red', passed: 1, total: 3 });
    expect(counted.text).not.toContain('case 2');
    const named = await score('names', 'PR-2');
    expect(named.json).toMatchObject({ passed: 1, total: 3, failing: ['open: case 2', 'open: case 3'] });
    expect(named.text).not.toMatch(/message|outcome|durationMs|failures/);
  });

  test('has those who are limited to other suites told no counts and no durations', async () => {
    const scored = await score('verdict', 'PR-4');
    const author = await world.as('author', undefined, { suites: ['another'] });
    const read = await author('GET', `/scores/${Reflect.get(Object(scored.json), 'id')}`);
    expect(read.json).toMatchObject({ state: 'finished', failures: [] });
    expect(read.text).not.toMatch(/passed|total|durationMs|case 2/);
  });

  test('told more in the past tells no more of it than was charged then', async () => {
    const coarse = await score('verdict', 'PR-3');
    const id = `${Reflect.get(Object(coarse.json), 'id')}`;
    await world.admin('PUT', '/gates/open', { suites: ['open'], disclosure: 'names' });
    const later = await (await world.as('harness'))('GET', `/scores/${id}`);
    expect(later.text).not.toMatch(/passed|total|failing|case 2/);
  });
});

describe('time slots', () => {
  const slotMs = 1_000;
  const at = (ms: number) => new Date(1_767_225_600_000 + ms);

  test('publish what was decided within one slot at one moment, and never before it was decided', () => {
    const took = fc.integer({ min: 0, max: 200_000 });
    fc.assert(
      fc.property(took, took, fc.integer({ min: 1, max: 60_000 }), (one, other, length) => {
        const [first, second] = [one, other].map((ms) => publishedAt(at(0), at(ms), length));
        expect(first?.getTime()).toBeGreaterThanOrEqual(at(one).getTime());
        const sameSlot = slotOf(at(0), at(one), length) === slotOf(at(0), at(other), length);
        expect(first?.getTime() === second?.getTime()).toBe(sameSlot);
        expect(((first?.getTime() ?? 0) - at(0).getTime()) % length).toBe(0);
      }),
    );
    expect(publishedAt(at(0), at(5), 0)).toEqual(at(5));
  });

  test('leave time to write down a large score, whatever became of its cases', () => {
    expect(publishedAt(at(0), decidedWith(4, at(700), slotMs), slotMs)).toEqual(at(slotMs));
    expect(publishedAt(at(0), decidedWith(2_000, at(700), slotMs), slotMs)).toEqual(at(2 * slotMs));
    expect(decidedWith(20_000, at(5), 0)).toEqual(at(5));
  });

  /** How well two kinds of latencies can be told apart: the share that a nearest-mean classifier gets right, each left out once. */
  const decoded = (samples: { slow: boolean; ms: number }[]): number => {
    const right = samples.filter(({ slow, ms }, index) => {
      const rest = samples.filter((_, other) => other !== index);
      const meanOf = (kind: boolean) => {
        const ofKind = rest.filter((sample) => sample.slow === kind);
        return ofKind.reduce((sum, sample) => sum + sample.ms, 0) / ofKind.length;
      };
      return Math.abs(ms - meanOf(true)) < Math.abs(ms - meanOf(false)) === slow;
    });
    return right.length / samples.length;
  };

  test('leave a decoder of times at chance, however long candidates run to say something', async () => {
    // A slot in which everything ends, however busy the machine is.
    const world = await openWorld({ HOLDBACK_SLOT_MS: '3600000' });
    await world.admin('POST', '/suites/s/revisions?activate=true', {
      cases: [{ name: 'c', input: 1, expect: { equals: 1 } }],
    });
    await world.admin('PUT', '/gates/s', { suites: ['s'] });
    const { database } = world.service.database;
    const decided: { slow: boolean; ms: number }[] = [];
    const published: { slow: boolean; ms: number }[] = [];
    for (let turn = 0; turn < 8; turn++) {
      const slow = turn % 2 === 1;
      const spin = slow ? 'for (let i = 0; i < 2e8; i++);' : '';
      const source = `exports.run = (input) => { ${spin} return input; }; // ${turn}`;
      const change = { id: 'p', commit: 'c' };
      const scored = await world.admin('POST', '/score', { gate: 's', change, candidate: { source } });
      expect(scored.json).toMatchObject({ verdict: 'merge' });
      const record = await findScore(database, `${Reflect.get(Object(scored.json), 'id')}`);
      const decidedAt = record.verdict?.decidedAt ?? record.requestedAt;
      const known = knownFrom(record, { role: 'ci', suites: null }, 3_600_000) ?? record.requestedAt;
      decided.push({ slow, ms: decidedAt.getTime() - record.requestedAt.getTime() });
      published.push({ slow, ms: known.getTime() - record.requestedAt.getTime() });
    }
    expect(new Set(decided.map(({ ms }) => ms)).size).toBeGreaterThan(1);
    expect(decoded(published)).toBe(0.5);
  });

  test('answer whoever waits with the verdict at the end, also where a timer ends before the clock says so', async () => {
    const world = await openWorld({ HOLDBACK_SLOT_MS: '3000' });
    await world.admin('POST', '/suites/s/revisions?activate=true', {
      cases: [{ name: 'c', input: 1, expect: { equals: 1 } }],
    });
    await world.admin('PUT', '/gates/s', { suites: ['s'] });
    const ci = await world.as('ci');
    const request = { gate: 's', change: { id: 'p', commit: 'c' }, candidate: { source: obedient } };
    const waiting = ci('POST', '/score', request);
    await expect
      .poll(async () => (await world.admin('GET', '/changes/p?gate=s')).json, { interval: 20 })
      .toMatchObject({ scores: [{ state: 'finished' }] });
    putClockForward(-300);
    const reply = await waiting.finally(() => vi.unstubAllGlobals());
    expect(reply).toMatchObject({ status: 200, json: { state: 'finished' } });
  });

  test('keep a verdict from agents on every way until it is published, and from nobody else', async () => {
    const world = await openWorld({
      ...{ HOLDBACK_SLOT_MS: '3600000', HOLDBACK_CONCURRENCY: '2', HOLDBACK_DRAIN_MS: '0' },
    });
    await world.admin('POST', '/suites/s/revisions?activate=true', {
      ...{ cases: [{ name: 'c', input: 1, expect: { equals: 1 } }], limits: { caseMs: 60_000 } },
    });
    await world.admin('PUT', '/gates/s', { suites: ['s'], concurrency: 1 });
    const [ci, harness, lead] = [await world.as('ci'), await world.as('harness'), await world.as('lead')];
    const request = {
      gate: 's',
      change: { id: 'p', commit: 'c' },
      candidate: { source: 'exports.run = (i) => i;' },
    };
    const accepted = await ci('POST', '/score', request, { prefer: 'respond-async' });
    const { id, candidate } = Object(accepted.json);
    await expect
      .poll(async () => (await lead('GET', `/scores/${id}`)).json)
      .toMatchObject({ verdict: 'merge' });
    const verdict = `/verdict?gate=s&change=p&commit=c&candidate=${candidate.digest}`;
    for (const agent of [ci, harness]) {
      expect((await agent('GET', `/scores/${id}`)).json).toMatchObject({ state: 'running' });
      expect((await agent('GET', verdict)).json).toMatchObject({ verdict: 'block', reason: 'not_scored' });
    }
    // When it was decided tells of suites that a token does not reach: neither an incident nor a count of greens gives it away.
    const limited = await world.as('author', ['s'], { suites: ['another'] });
    const incident = { gate: 's', score: id, title: 'a bug' };
    expect((await limited('POST', '/incidents', incident)).json).toMatchObject({
      code: 'incident_not_merged',
    });
    for (const to of ['', '?to=2199-01-01T00:00:00Z'])
      expect((await limited('GET', `/gates/s/escapes${to}`)).json).toMatchObject({ buckets: [] });
    expect((await lead('GET', '/gates/s/escapes')).json).toMatchObject({ buckets: [{ merged: 1 }] });
    for (const filter of ['verdict=merge', 'reason=green'])
      expect((await limited('GET', `/changes?${filter}`)).json).toEqual({ scores: [], next: null });
    expect((await limited('GET', '/changes')).json).toMatchObject({ scores: [{ id, state: 'running' }] });
    expect((await limited('GET', `/scores/${id}/cases`)).json).toMatchObject({ state: 'running', cases: [] });
    expect((await lead('GET', '/changes?verdict=merge')).json).toMatchObject({ scores: [{ id }] });
    expect((await ci('POST', '/score', request, { prefer: 'wait=1' })).status).toBe(202);
    expect((await lead('GET', verdict)).json).toMatchObject({ verdict: 'merge' });
    // A repetition, whose own slots begin when its caller likes, is decided when the first is published.
    const again = await ci('POST', '/score', request, { prefer: 'respond-async' });
    const repetition = `${Reflect.get(Object(again.json), 'id')}`;
    await expect
      .poll(async () => (await lead('GET', `/scores/${repetition}`)).json)
      .toMatchObject({ verdict: 'merge' });
    const { database } = world.service.database;
    const first = await findScore(database, id);
    const decidedAt = (await findScore(database, repetition)).verdict?.decidedAt;
    expect(decidedAt?.getTime()).toBe(first.requestedAt.getTime() + 3_600_000);
    // Nor does it wait for its gate's turn, and so for what runs: it costs nothing, and would tell how long that took.
    const endless = { ...request, candidate: { source: 'exports.run = () => { for (;;); };' } };
    await ci('POST', '/score', endless, { prefer: 'respond-async' });
    const third = await ci('POST', '/score', request, { prefer: 'respond-async' });
    await expect
      .poll(async () => (await lead('GET', `/scores/${Reflect.get(Object(third.json), 'id')}`)).json)
      .toMatchObject({ verdict: 'merge' });
  });

  test('tell the newest verdict that is published, however many are not', async () => {
    const world = await openWorld();
    const { database } = world.service.database;
    await world.admin('POST', '/suites/s/revisions?activate=true', {
      cases: [{ name: 'c', input: 1, expect: { equals: 1 } }],
    });
    await world.admin('PUT', '/gates/s', { suites: ['s'] });
    const candidate = await storeCandidate(database, Buffer.from('exports.run = () => 0;'));
    const question = { gate: 's', change: 'p', commit: 'c', candidate };
    const slots = 1_000;
    const records: ScoreRecord[] = [];
    // Requested ten hours ago, to be published at any time since, or not yet.
    for (const tookMs of [0, 799, 800, 999, 1_000, 36_000_000 - 5_000, ...Array(25).fill(72_000_000)]) {
      const requestedAt = new Date(Date.now() - 36_000_000);
      const { record } = await appendScore(database, {
        ...{ id: crypto.randomUUID(), gate: 's', policyVersion: 1, change: { id: 'p', commit: 'c' } },
        ...{ candidate, requestedBy: 'a test', requestedAt, deadlineAt: new Date(Date.now() + 60_000) },
        ...{ idempotencyKey: undefined, requestDigest: '', visibleTests: undefined },
      });
      await database.insert(verdicts).values({
        ...{ scoreId: record.id, verdict: 'block', reason: 'indeterminate', revisions: [] },
        ...{ passed: 0, total: 0, durationMs: 0, decidedAt: new Date(requestedAt.getTime() + tookMs) },
        ...{ gate: 's', requestedAt, changeId: 'p', attempt: record.attempt, bits: 0, isFirstGreen: false },
        firstRequestedAt: record.firstRequestedAt,
      });
      records.push(await findScore(database, record.id));
    }
    const ci = { role: 'ci' as const, suites: null };
    for (const slotMs of [0, 1, slots, 60_000, 3_600_000]) {
      const newest = records.findLast((record) => isKnown(record, ci, slotMs));
      expect((await askVerdict({ database, slotMs }, question, ci)).scoreId).toBe(newest?.id);
    }
    const everything = { role: 'lead' as const, suites: null };
    expect((await askVerdict({ database, slotMs: slots }, question, everything)).scoreId).toBe(
      records.at(-1)?.id,
    );
  });

  test('hold while others wait: neither a free place nor a policy set meanwhile changes what is told or charged', async () => {
    const world = await openWorld({
      ...{ HOLDBACK_SLOT_MS: '3600000', HOLDBACK_QUEUE: '1', HOLDBACK_CONCURRENCY: '1' },
    });
    const cases = [1, 2, 3].map((input) => ({ name: `case ${input}`, input, expect: { equals: 0 } }));
    await world.admin('POST', '/suites/s/revisions?activate=true', { cases });
    await world.admin('PUT', '/gates/s', { suites: ['s'], disclosure: 'names' });
    const [ci, lead] = [await world.as('ci'), await world.as('lead')];
    const ask = (source: string) =>
      ci(
        'POST',
        '/score',
        { gate: 's', change: { id: 'p', commit: 'c' }, candidate: { source } },
        { prefer: 'respond-async' },
      );
    await ask('exports.run = () => { for (let i = 0; i < 1e8; i++); };');
    const second = await ask('exports.run = () => 1;');
    expect((await ask('exports.run = () => 2;')).status).toBe(429);
    await world.admin('PUT', '/gates/s', { suites: ['s'], disclosure: 'verdict' });
    const path = `/scores/${Reflect.get(Object(second.json), 'id')}`;
    await expect
      .poll(async () => (await lead('GET', path)).json, { timeout: 20_000 })
      .toMatchObject({ reason: 'red' });
    // Both are told as the policy was when they were accepted: 1 bit for each of 3 cases, 1 for the time.
    expect((await lead('GET', '/gates/s/exposure')).json).toMatchObject({ suites: [{ bits: 8 }] });
    expect((await ask('exports.run = () => 3;')).status).toBe(429);
  });
});
