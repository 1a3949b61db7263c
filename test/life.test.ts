/** The life of a case: drafted, reviewed by a second person, active, expired, retired, published; and nothing is ever overwritten. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Client, scoreRequest, startWorld, type World } from './world.ts';

let world: World;
let author: Client;
let ci: Client;
beforeAll(async () => {
  world = await startWorld({ HOLDBACK_POOL: '1', HOLDBACK_HOSTS_PER_SCORE: '1' });
  [author, ci] = await Promise.all([world.as('author', undefined, { owner: 'ada' }), world.as('ci')]);
});
afterAll(() => world.close());
afterEach(() => vi.useRealTimers());

const dayMs = 86_400_000;
const identity = 'export function run(x) { return x }';
const wrong = 'export function run(x) { return x === 2 ? 3 : x }';

let names = 0;
/** A suite with these cases, active, behind a gate of its name. */
async function sealed(cases: object[], policy: object = {}): Promise<string> {
  const suite = `life-${names++}`;
  const pushed = await author('POST', `/suites/${suite}/revisions?activate=true`, { cases });
  expect(pushed.status, pushed.text).toBe(201);
  const set = await world.admin('PUT', `/gates/${suite}`, { suites: [suite], ...policy });
  expect(set.status, set.text).toBe(200);
  return suite;
}

/** The clock moves on; nothing waits. */
function laterBy(days: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + days * dayMs });
}

const inDays = (days: number) => new Date(Date.now() + days * dayMs).toISOString();

/** A case that wants its input back. */
function same(input: unknown, more: object = {}): object {
  return { name: `gives back ${JSON.stringify(input)}`, input, expect: { equals: input }, ...more };
}

async function score(gate: string, source: string, change = 'PR-1') {
  const { json } = await ci('POST', '/score', scoreRequest(gate, source, change));
  const { verdict, reason, candidate } = Object(json);
  const path = `/verdict?gate=${gate}&change=${change}&commit=c0ffee&candidate=${candidate?.digest}`;
  const ask = async () => {
    const { json: answer } = await ci('GET', path);
    return [Object(answer).verdict, Object(answer).reason];
  };
  return { answer: [verdict, reason], ask };
}

describe('a case that has expired', () => {
  test('is not asked any more, a red that may be for its sake is stale, and a green stays', async () => {
    const gate = await sealed([same(1), same(2, { expires: inDays(2), owner: 'ada' })]);
    const red = await score(gate, wrong);
    const green = await score(gate, identity);
    expect([red.answer, green.answer]).toEqual([
      ['block', 'red'],
      ['merge', 'green'],
    ]);
    laterBy(3);
    expect(await red.ask()).toEqual(['block', 'stale']);
    expect(await green.ask()).toEqual(['merge', 'green']);
    const again = await score(gate, wrong, 'PR-2');
    expect(again.answer).toEqual(['merge', 'green']);
    expect(await again.ask()).toEqual(['merge', 'green']);
    expect((await score(gate, identity, 'PR-2')).answer).toEqual(['merge', 'green']);
    const history = await author('GET', `/changes/PR-2?gate=${gate}`);
    expect(history.json).toMatchObject({
      scores: [
        { repeats: expect.any(String), assurance: [{ cases: 1 }] },
        { repeats: null, passed: 1, total: 1, assurance: [{ cases: 1 }] },
      ],
    });
  });

  test('leaves later cases in their places, with their own predicates', async () => {
    const suite = `life-${names++}`;
    const module = `export default { cases: [
      { name: 'a', input: 1, expect: (out) => out === 1, expires: ${JSON.stringify(inDays(2))} },
      { name: 'b', input: 2, expect: (out) => out === 2, expires: new Date(${Date.now() + 9 * dayMs}) },
    ] }`;
    await author('POST', `/suites/${suite}/revisions?activate=true`, { module });
    await world.admin('PUT', `/gates/${suite}`, { suites: [suite] });
    laterBy(3);
    expect((await score(suite, identity)).answer).toEqual(['merge', 'green']);
    expect((await score(suite, 'exports.run = () => 1')).answer).toEqual(['block', 'red']);
  });

  test('blocks as not_scored where it was the last that proves something', async () => {
    const gate = await sealed([
      same(1, { expires: inDays(2) }),
      { name: 'bait', input: 5, expect: { tripwire: true } },
    ]);
    const green = await score(gate, identity);
    expect(green.answer).toEqual(['merge', 'green']);
    laterBy(3);
    expect(await green.ask()).toEqual(['block', 'not_scored']);
    expect((await score(gate, identity)).answer).toEqual(['block', 'not_scored']);
    expect((await score(gate, wrong, 'PR-2')).answer).toEqual(['block', 'not_scored']);
  });

  test('is read back with its end and its owner, and is the same case under another', async () => {
    const cases = [same(1, { expires: '2099-01-31', owner: 'ada' })];
    const suite = await sealed(cases, { exposureBudgetBits: 100 });
    const { json } = await author('GET', `/suites/${suite}/revisions/1`);
    expect(json).toMatchObject({ contents: [{ expires: '2099-01-31', owner: 'ada' }] });
    await score(suite, identity);
    const spent = async () => Object((await author('GET', `/gates/${suite}/exposure`)).json).suites[0].bits;
    const before = await spent();
    await author('POST', `/suites/${suite}/revisions?activate=true`, {
      cases: [same(1, { owner: 'grace' })],
    });
    expect(await spent()).toBe(before);
    expect(before).toBeGreaterThan(0);
    const check = await author('POST', `/suites/${suite}/check`, { cases });
    expect(check.json).toMatchObject({ changes: { changed: ['gives back 1'] } });
    const odd = await author('POST', `/suites/${suite}/check`, { cases: [same(1, { expires: 'soon' })] });
    expect(odd.json).toMatchObject({ errors: [{ pointer: 'body/cases/0/expires' }] });
  });
});
