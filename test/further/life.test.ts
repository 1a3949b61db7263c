/** The life of a case: drafted, reviewed by a second person, active, expired, retired, published; and nothing is ever overwritten. */
import { asc } from 'drizzle-orm';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { audit } from '../../migrations/tables.ts';
import { suiteCasesSchema } from '../../suites/life/life.ts';
import { standingOf } from '../../suites/life/reviews.ts';
import { appendActivation } from '../../suites/revisions.ts';
import { runCommand } from '../command.ts';
import { putClockForward } from '../put-clock-forward.ts';
import { type Client, scoreRequest, startWorld, type World } from '../world.ts';

let world: World;
let author: Client;
let ci: Client;
beforeAll(async () => {
  world = await startWorld({ HOLDBACK_POOL: '1', HOLDBACK_HOSTS_PER_SCORE: '1' });
  [author, ci] = await Promise.all([world.as('author', undefined, { owner: 'ada' }), world.as('ci')]);
});
afterAll(() => world.close());
afterEach(() => vi.unstubAllGlobals());

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

const laterBy = (days: number) => putClockForward(days * dayMs);
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
      scores: [{ repeats: expect.any(String) }, { repeats: null, passed: 1, total: 1 }],
    });
    for (const { id } of Object(history.json).scores)
      expect((await author('GET', `/scores/${id}`)).json).toMatchObject({ assurance: [{ cases: 1 }] });
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

/** The names of a suite's cases, with what is known of them. */
async function casesOf(suite: string, query = '') {
  const { status, json, text } = await author('GET', `/suites/${suite}/cases${query}`);
  expect(status, text).toBe(200);
  return suiteCasesSchema.parse(json);
}

describe('a review', () => {
  test('that rejects it while its references run keeps it a draft', async () => {
    const suite = `life-${names++}`;
    const slow = 'export function run(x) { for (let i = 0; i < 3e8; i++) Math.imul(i, i); return x }';
    const references = [{ name: 'right', build: slow, verdict: 'merge' }];
    await author('POST', `/suites/${suite}/revisions`, { cases: [same(1)], references });
    await world.admin('PUT', `/gates/${suite}`, { suites: [suite], review: true });
    const eve = await world.as('author', undefined, { owner: 'eve' });
    const path = `/suites/${suite}/revisions/1`;
    await eve('POST', `${path}/reviews`, { verdict: 'approve' });
    const activating = author('POST', `${path}/activate`);
    await eve('POST', `${path}/reviews`, { verdict: 'reject' });
    expect((await activating).json).toMatchObject({ refusals: [{ code: 'revision_rejected' }] });
  });

  test('by a second person is needed where a gate asks for it, and a rejection outweighs it', async () => {
    const suite = await sealed([same(1)]);
    await world.admin('PUT', `/gates/${suite}`, { suites: [suite], review: true });
    const pushed = await author('POST', `/suites/${suite}/revisions?activate=true`, { cases: [same(3)] });
    expect(pushed.json).toMatchObject({
      code: 'activation_refused',
      revision: 2,
      refusals: [{ code: 'revision_unreviewed' }],
    });
    const [again, grace, eve] = await Promise.all([
      world.as('author', undefined, { owner: 'ada' }),
      world.as('author', undefined, { owner: 'grace' }),
      world.as('author', undefined, { owner: 'eve' }),
    ]);
    const path = `/suites/${suite}/revisions/2`;
    const review = async (by: Client, verdict: string, comment?: string) =>
      (await by('POST', `${path}/reviews`, { verdict, comment })).json;
    // Two tokens of one owner are one person.
    expect(await review(again, 'approve')).toMatchObject({ code: 'review_own' });
    expect(await review(grace, 'approve', 'follows rule 7')).toMatchObject({ state: 'reviewed' });
    expect(await review(eve, 'reject', 'asks too much')).toMatchObject({
      state: 'draft',
      reviews: [
        { person: 'grace', verdict: 'approve', comment: 'follows rule 7' },
        { person: 'eve', verdict: 'reject', comment: 'asks too much' },
      ],
    });
    const refused = await author('POST', `${path}/activate`);
    expect(refused.json).toMatchObject({ refusals: [{ code: 'revision_rejected' }] });
    expect(await review(eve, 'approve')).toMatchObject({ state: 'reviewed' });
    expect((await author('POST', `${path}/activate`)).json).toMatchObject({ state: 'active' });
    const lead = await world.as('lead');
    const readings = async () => (await lead('GET', '/audit?limit=1000')).text.split('revision.read').length;
    const before = await readings();
    expect((await author('GET', `${path}/reviews`)).json).toMatchObject({
      state: 'active',
      reviews: [{ verdict: 'approve' }, { verdict: 'approve' }],
    });
    expect(await readings()).toBe(before + 1);
    const told = (await lead('GET', '/audit?limit=1000')).text;
    expect(told).toContain('revision.reviewed');
    expect(told).not.toContain('asks too much');
  });

  test('comes before an activation or after it: what was rejected before is not activated', async () => {
    const suite = await sealed([same(1)]);
    await world.admin('PUT', `/gates/${suite}`, { suites: [suite], review: true });
    const eve = await world.as('author', undefined, { owner: 'eve' });
    for (let revision = 2; revision <= 5; revision++) {
      await author('POST', `/suites/${suite}/revisions`, { cases: [same(revision)] });
      const path = `/suites/${suite}/revisions/${revision}`;
      const review = (verdict: string) => eve('POST', `${path}/reviews`, { verdict });
      await review('approve');
      await Promise.all([author('POST', `${path}/activate`), review('reject')]);
    }
    const records = await world.service.database.database.select().from(audit).orderBy(asc(audit.sequence));
    const rejected = new Set<unknown>();
    for (const { action, about } of records.map(({ entry }) => JSON.parse(entry))) {
      if (about?.suite !== suite) continue;
      if (action === 'revision.reviewed' && about.verdict === 'rejected') rejected.add(about.revision);
      if (action === 'revision.activated') expect(rejected).not.toContain(about.revision);
    }
    expect(rejected.size).toBe(4);
  });

  test('is heard in the transaction that activates: what speaks up there leaves everything as it was', async () => {
    const suite = await sealed([same(1)]);
    await author('POST', `/suites/${suite}/revisions`, { cases: [same(2)] });
    const requireFit = () => Promise.reject(new Error('rejected in this moment'));
    const activating = appendActivation(
      world.service.database.database,
      { suite, revision: 2 },
      { by: 'a test', notBefore: null, requireFit },
    );
    await expect(activating).rejects.toThrow('rejected in this moment');
    expect((await author('GET', `/suites/${suite}`)).json).toMatchObject({ activeRevision: 1 });
  });

  test('counts the newest word of each person but whoever made the revision', () => {
    const person = fc.constantFrom('maker', 'a', 'b', 'c');
    const reviews = fc.array(fc.record({ person, isApproval: fc.boolean() }), { maxLength: 8 });
    fc.assert(
      fc.property(reviews, (all) => {
        const words = ['a', 'b', 'c'].flatMap((one) => all.findLast((each) => each.person === one) ?? []);
        const standing = (needed: number) =>
          words.some(({ isApproval }) => !isApproval)
            ? 'rejected'
            : words.length < needed
              ? 'unreviewed'
              : 'approved';
        expect(standingOf({ maker: 'maker', isAuthor: true }, all)).toBe(standing(1));
        // Of what CI carried, one of those who approve may be the author.
        expect(standingOf({ maker: 'maker', isAuthor: false }, all)).toBe(standing(2));
      }),
    );
  });
});

describe('revisions', () => {
  test('are compared and restored, and nothing is overwritten', async () => {
    const suite = await sealed([same(1), same(2, { tags: ['old'] })]);
    await author('POST', `/suites/${suite}/revisions?activate=true`, { cases: [same(2), same(3)] });
    const compared = await author('GET', `/suites/${suite}/revisions/2/compare?with=1`);
    expect(compared.json).toMatchObject({
      suite,
      revision: 2,
      with: 1,
      added: ['gives back 3'],
      removed: ['gives back 1'],
      changed: ['gives back 2'],
    });
    const restored = await author('POST', `/suites/${suite}/revisions/1/restore?activate=true`);
    expect([restored.status, restored.json]).toMatchObject([201, { revision: 3, state: 'active', cases: 2 }]);
    const same13 = await author('GET', `/suites/${suite}/revisions/3/compare?with=1`);
    expect(same13.json).toMatchObject({ added: [], removed: [], changed: [], unchanged: 2 });
    expect(await score(suite, identity)).toMatchObject({ answer: ['merge', 'green'] });
    const { json } = await author('GET', `/suites/${suite}`);
    expect(Object(json).revisions.map((one: object) => Reflect.get(one, 'state'))).toEqual([
      'active',
      'superseded',
      'superseded',
    ]);
  });

  test('whose cases have expired are not activated, and a check says so before they are pushed', async () => {
    const cases = [same(1), same(2, { expires: '2020-01-01' })];
    const suite = `life-${names++}`;
    const checked = await author('POST', `/suites/${suite}/check`, { cases });
    expect(checked.json).toMatchObject({
      findings: [],
      notes: [expect.stringMatching(/^cases in it have expired.*: "gives back 2" \(/)],
    });
    expect((await author('POST', `/suites/${suite}/check`, { cases: [same(1)] })).json).toMatchObject({
      notes: [],
    });
    const pushed = await author('POST', `/suites/${suite}/revisions?activate=true`, { cases });
    expect([pushed.status, pushed.json]).toMatchObject([409, { refusals: [{ code: 'cases_expired' }] }]);
    expect(pushed.text).toContain('gives back 2');
    const retired = await author('POST', `/suites/${suite}/retirements?activate=true`, {
      cases: ['gives back 2'],
      from: 1,
    });
    expect(retired.json).toMatchObject({ revision: 2, state: 'active', cases: 1 });
  });
});

describe('a case that is retired', () => {
  test('is left out of a new revision, in which each case keeps its own predicate', async () => {
    const suite = `life-${names++}`;
    const module = `export default { cases: [
      { name: 'a', input: 101, expect: (out) => out === 101 },
      { name: 'b', input: 102, expect: (out) => out === 102, tags: ['kept'], owner: 'ada' },
      { name: 'c', input: 103, expect: (out) => out === 103 },
      { name: 'd', input: 104, expect: { equals: 104 } },
    ] }`;
    await author('POST', `/suites/${suite}/revisions?activate=true`, { module });
    await world.admin('PUT', `/gates/${suite}`, { suites: [suite] });
    const retire = (cases: string[], more: object = {}) =>
      author('POST', `/suites/${suite}/retirements?activate=true`, { cases, ...more });
    expect((await retire(['nobody'])).json).toMatchObject({ code: 'case_not_found' });
    expect((await retire(['a', 'b', 'c', 'd'])).json).toMatchObject({ code: 'suite_invalid' });
    expect((await retire(['a'], { reason: 'the rule is gone' })).json).toMatchObject({
      revision: 2,
      cases: 3,
    });
    expect((await retire(['c'])).json).toMatchObject({ revision: 3, cases: 2, state: 'active' });
    expect((await score(suite, 'exports.run = (x) => x === 102 || x === 104 ? x : 0')).answer).toEqual([
      'merge',
      'green',
    ]);
    expect((await score(suite, 'exports.run = (x) => (x === 102 ? 3 : x)')).answer).toEqual(['block', 'red']);
    expect(await casesOf(suite)).toMatchObject({
      state: 'active',
      cases: [
        { name: 'b', tags: ['kept'], owner: 'ada', state: 'in_force', published: false },
        { name: 'd' },
      ],
      left: [
        { name: 'c', kind: 'retired', person: 'ada' },
        { name: 'a', kind: 'retired', person: 'ada', reason: 'the rule is gone' },
      ],
    });
    const compared = await author('GET', `/suites/${suite}/revisions/3/compare?with=1`);
    expect(compared.json).toMatchObject({ added: [], removed: ['a', 'c'], changed: [] });
    // What was retired may be published, and so is read as it was written.
    const published = await author('POST', `/suites/${suite}/publications`, { cases: ['a'] });
    expect(published.json).toMatchObject({
      cases: [{ name: 'a', input: 101, expect: { predicate: 'out=>out===101' } }],
    });
  });
});

describe('a case that is published', () => {
  test('is not published by who may not know of every suite: another may ask the same', async () => {
    const theirs = await sealed([same('asked elsewhere')]);
    const limited = await world.as('author', undefined, { suites: ['guesses'] });
    const guesses = { cases: [same('asked elsewhere'), same('asked nowhere')] };
    expect((await limited('POST', '/suites/guesses/revisions', guesses)).status).toBe(201);
    const replies = await Promise.all(
      guesses.cases.map((guess) =>
        limited('POST', '/suites/guesses/publications', { cases: [Object(guess).name] }),
      ),
    );
    expect(replies.map(({ json }) => Object(json).code)).toEqual(['suite_forbidden', 'suite_forbidden']);
    expect(replies[0]?.text).toBe(replies[1]?.text);
    expect((await author('GET', `/suites/${theirs}/cases`)).json).toMatchObject({
      cases: [{ published: false }],
    });
  });

  const secret = {
    order: {
      code: 'ZEBRA-7741',
      lines: [
        { sku: 'quince', cents: 90_817 },
        { sku: 'medlar', cents: 4_415 },
      ],
    },
  };
  const text = JSON.stringify(secret);

  test('must be retired, expired or spent, and is never holdback or a leak again', async () => {
    const suite = await sealed([
      same(1),
      same(secret),
      { name: 'bait', input: 6, expect: { tripwire: true } },
    ]);
    const name = `gives back ${text}`;
    const publish = (cases: string[]) => author('POST', `/suites/${suite}/publications`, { cases });
    const leaks = async (of: string) =>
      Object((await author('POST', `/leaks?suite=${suite}`, of, { 'content-type': 'text/plain' })).json)
        .findings;
    expect(await leaks(text)).toHaveLength(1);
    expect((await publish([name])).json).toMatchObject({ code: 'case_in_force' });
    expect((await publish(['bait'])).json).toMatchObject({ code: 'case_in_force' });
    expect((await publish(['nobody'])).json).toMatchObject({ code: 'case_not_found' });
    await author('POST', `/suites/${suite}/retirements?activate=true`, { cases: [name] });
    // A copy elsewhere still asks it.
    const copy = await sealed([same(secret), same(2)]);
    expect((await publish([name])).json).toMatchObject({ code: 'case_in_force' });
    await author('POST', `/suites/${copy}/retirements?activate=true`, { cases: [name] });
    const published = await publish([name]);
    expect([published.status, published.json]).toMatchObject([
      201,
      { suite, cases: [{ name, input: secret, expect: { equals: secret }, tags: [] }] },
    ]);
    const check = await author('POST', `/suites/${suite}/check`, { cases: [same(1), same(secret)] });
    expect(check.json).toMatchObject({ findings: [{ case: name, position: 1 }], changes: null });
    const back = await author('POST', `/suites/${suite}/revisions/1/restore?activate=true`);
    expect(back.json).toMatchObject({ revision: 3, refusals: [{ code: 'cases_published' }] });
    expect(await casesOf(suite, '?revision=1')).toMatchObject({
      cases: [{ published: false }, { published: true }, {}],
      left: [
        { kind: 'published', name },
        { kind: 'retired', name },
      ],
    });
  });

  test('may be one that is spent or has expired, and then only what else is sealed is a leak', async () => {
    const secret = {
      trip: {
        code: 'IBEX-5520',
        legs: [
          { to: 'tarn', km: 31_877 },
          { to: 'fell', km: 9_604 },
        ],
      },
    };
    const other = {
      plan: {
        term: 'QUETZAL-1203',
        steps: [
          { at: 'ginkgo', weight: 77_310 },
          { at: 'larch', weight: 1_290 },
        ],
      },
    };
    const gate = await sealed([same(secret, { expires: inDays(2) }), same(other), same(8)], {
      exposureBudgetBits: 1_000,
    });
    const publish = (cases: object[]) =>
      author('POST', `/suites/${gate}/publications`, {
        cases: cases.map((one) => `gives back ${JSON.stringify(one)}`),
      });
    const leaks = async (of: unknown) =>
      Object(
        (await author('POST', `/leaks?suite=${gate}`, JSON.stringify(of), { 'content-type': 'text/plain' }))
          .json,
      ).looked[0].found;
    expect(await leaks([secret, other])).toBe(2);
    laterBy(3);
    expect((await publish([secret, other])).json).toMatchObject({ code: 'case_in_force' });
    expect((await publish([secret])).status).toBe(201);
    expect(await leaks([secret, other])).toBe(1);
    expect((await score(gate, identity)).answer).toEqual(['merge', 'green']);
    expect((await publish([other])).json).toMatchObject({ code: 'case_in_force' });
    // What the score has cost is more than this leaves for another.
    await world.admin('PUT', `/gates/${gate}`, { suites: [gate], exposureBudgetBits: 3 });
    expect((await publish([other])).status).toBe(201);
    expect(await leaks([secret, other])).toBe(0);
  });
});

describe('the command', () => {
  test('reviews, shows, compares, retires, restores and publishes, for people and for programs', async () => {
    const suite = await sealed([
      same(71, { tags: ['edge'], owner: 'ada', expires: inDays(20) }),
      same(72),
      same(73),
    ]);
    const { token } = Object(
      (await world.admin('POST', '/tokens', { role: 'author', name: 'g', owner: 'grace' })).json,
    );
    const holdback = async (...flags: string[]) => {
      const ended = await runCommand(flags, { HOLDBACK_URL: world.service.address, HOLDBACK_TOKEN: token });
      expect(ended, ended.err).toMatchObject({ code: 0 });
      return ended.out;
    };
    const shown = await holdback(
      'suite',
      'show',
      suite,
      '--expiring',
      '30d',
      '--owner',
      'ada',
      '--tag',
      'edge',
    );
    expect(shown).toMatch(/3 cases|1 case/);
    expect(shown).toMatch(/gives back 71 {2}\(#edge, of ada, until /);
    expect(shown).not.toContain('gives back 72');
    const retired = await holdback(
      'suite',
      'retire',
      suite,
      'gives back 72',
      '--reason',
      'moved',
      '--activate',
    );
    expect(retired).toContain('revision 2: 2 cases, active');
    expect(await holdback('suite', 'compare', suite, '1', '2')).toContain('- gives back 72');
    const restored = JSON.parse(await holdback('suite', 'restore', suite, '1', '--json'));
    expect(restored).toMatchObject({ revision: 3, state: 'draft' });
    const pushed = await author('POST', `/suites/${suite}/revisions`, { cases: [same(74)] });
    expect(pushed.json).toMatchObject({ revision: 4 });
    const reviewed = await holdback('suite', 'review', suite, '4', '--approve', '--comment', 'good');
    expect(reviewed).toContain('revision 4: reviewed\n  grace approves it: good');
    const published = await holdback('suite', 'publish', suite, 'gives back 72', '--module', '../price.js');
    expect(published).toContain('expect(await call()).toEqual(72);');
    expect(await holdback('suite', 'show', suite)).toContain('gives back 72  (published by grace on ');
  });
});
