/** Generated cases and relations: fresh inputs for every score, from a seed that is recorded; exact replay; and small failing inputs. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { suggestionFor } from '../../suites/authoring/suggestion.ts';
import { runCommand } from '../command.ts';
import { adminToken, type Reply, scoreRequest, sealSuite, startWorld, type World } from '../world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
  await sealSuite(world, 'doubling', suiteOf(doubles));
  await sealSuite(world, 'thousand', suiteOf(belowThousand));
});
afterAll(() => world.close());

const suiteOf = (...cases: string[]) => ({ module: `export default { cases: [${cases.join(', ')}] }` });

const doubles = `{
  name: 'doubles whatever it is given',
  generate: (fc) => fc.integer({ min: 0, max: 1_000_000_000 }),
  runs: 20,
  expect: (output, input) => output === input * 2,
}`;

/** Fails for every number of at least 1000, and for nothing below. */
const belowThousand = `{
  name: 'keeps every number',
  generate: (fc) => fc.record({ n: fc.nat(50_000), note: fc.string({ maxLength: 3 }) }),
  runs: 20,
  expect: (output, input) => output === input.n,
}`;
const capsAtThousand = 'export const run = ({ n }) => (n >= 1000 ? 999 : n);';

function score(gate: string, source: string): Promise<Reply> {
  return world.admin('POST', '/score', scoreRequest(gate, source));
}

type Failure = {
  message: string;
  outcome: string;
  generated?: { run: number; runs: number; input: string };
  smallest?: { input: string; isMinimal: boolean; steps: number };
};
type Read = { id: string; seed: string | null; reason: string; repeats: string | null; failures: Failure[] };
const read = ({ json }: Reply): Read => Object(json);

async function findingsOf(
  ...cases: string[]
): Promise<{ path: unknown[]; detail: string; suggestion?: string }[]> {
  const { json } = await world.admin('POST', '/suites/checked/check?changes=false', suiteOf(...cases));
  return Object(json).findings;
}

/** A case of which one field after the other is replaced. */
const caseWith = (fields: string) => `{ name: 'a case', expect: (output) => output === 1, ${fields} }`;

describe('a score of generated cases', () => {
  test('does not make a case flaky whose inputs were others', async () => {
    const coin =
      "{ name: 'heads', generate: (fc) => fc.integer({ min: 0, max: 1 }), runs: 1, expect: (output, input) => output === input }";
    await sealSuite(world, 'coin', suiteOf(coin));
    const reasons = new Set<string>();
    for (let toss = 0; toss < 40 && reasons.size < 2; toss++) {
      // Under another version of the policy the same candidate is run again.
      await world.admin('PUT', '/gates/coin', { suites: ['coin'], attemptsPerChange: 1_000_000 });
      reasons.add(read(await score('coin', 'export const run = () => 1;')).reason);
    }
    expect(reasons).toEqual(new Set(['green', 'red']));
    for (const client of [world.admin, await world.as('lead')]) {
      const { json } = await client('GET', '/trends/cases?suite=coin');
      expect(json).toMatchObject({ cases: 1, flaky: [], flakyCount: 0 });
    }
  });

  test('passes a candidate that is right on all inputs, as one case', async () => {
    const { json } = await score('doubling', 'export const run = (n) => n + n;');
    expect(json).toMatchObject({ reason: 'green', passed: 1, total: 1, assurance: [{ cases: 1 }] });
  });

  test('blocks a table of inputs that were seen before: the next score asks others', async () => {
    const first = read(await score('doubling', 'export const run = () => undefined;'));
    const seen = JSON.stringify(first.failures.map(({ generated }) => Number(generated?.input)));
    const table = `const seen = new Set([0, 1, 2, 3, 10, 100, ...${seen}]); export const run = (n) => (seen.has(n) ? n * 2 : 0);`;
    const second = read(await score('doubling', table));
    expect(second.reason).toBe('red');
    expect(second.failures[0]?.generated?.input).not.toBe(first.failures[0]?.generated?.input);
    expect(first.seed).toMatch(/^[0-9a-f]{64}$/);
    expect(second.seed).toMatch(/^[0-9a-f]{64}$/);
    expect(second.seed).not.toBe(first.seed);
  });

  test('draws no seed where nothing is run: the same candidate gets the same verdict', async () => {
    const source = 'export const run = ({ n }) => n + 2;';
    const first = read(await score('thousand', source));
    const again = read(await score('thousand', source));
    expect(again).toMatchObject({ reason: 'red', repeats: first.id, seed: null, failures: first.failures });
    const replay = await world.admin('POST', `/scores/${again.id}/replay`);
    expect(replay.json).toMatchObject({ score: first.id, seed: first.seed, agrees: true });
  });

  test('tells those from whom agents hear neither seed nor input, and lets them replay nothing', async () => {
    const { id } = read(await score('doubling', 'export const run = (n) => n;'));
    for (const role of ['ci', 'harness', 'lead'] as const) {
      const reader = await world.as(role);
      const { json } = await reader('GET', `/scores/${id}`);
      expect(json).toMatchObject({ reason: 'red' });
      expect(json).not.toHaveProperty('seed');
      expect(json).not.toHaveProperty('failures');
      expect(await reader('POST', `/scores/${id}/replay`)).toMatchObject({ status: 403 });
    }
  });

  test('runs all inputs with the fixtures of the case', async () => {
    await sealSuite(
      world,
      'fixtures',
      suiteOf(`{
        name: 'asks for the rate, on the day that it pretends',
        generate: (fc) => fc.integer({ min: 1, max: 9 }),
        runs: 5,
        call: 'convert',
        at: '2030-05-06T00:00:00Z',
        http: [{ request: { url: 'https://rates.test/eur' }, response: { body: { rate: 2 } }, times: 1 }],
        expect: (output, input) => output.amount === input * 2 && output.year === 2030,
        relate: { from: (input) => input * 3, hold: (one, other) => other.amount === one.amount * 3 },
      }`),
    );
    const right = `export async function convert(n) {
      const { rate } = await (await fetch('https://rates.test/eur')).json();
      return { amount: n * rate, year: new Date().getFullYear() };
    }`;
    expect(read(await score('fixtures', right))).toMatchObject({ reason: 'green' });
    const careless = right.replace('n * rate', 'n > 9 ? 1 : n * rate');
    expect(read(await score('fixtures', careless)).failures[0]?.message).toBe('its relation answered false');
    const twice = right.replace('const {', "await fetch('https://rates.test/eur'); const {");
    expect(read(await score('fixtures', twice)).failures[0]?.message).toMatch(/should be requested once/);
  });

  test('tells the author of a property that throws, and of inputs that cannot be made', async () => {
    await sealSuite(
      world,
      'faulty',
      suiteOf(
        "{ name: 'throws', generate: (fc) => fc.nat(), runs: 2, expect: () => { throw new Error('mine'); } }",
        // Rare enough to be missed when it is tried, and certain to come up in a thousand inputs.
        `{ name: 'breaks now and then', runs: 1000, expect: (output) => output === 1,
           generate: (fc) => fc.integer({ min: 0, max: 60 }).map((n) => { if (n === 30) throw new Error('unlucky'); return n; }) }`,
      ),
    );
    const { failures, reason } = read(await score('faulty', 'export const run = () => 1;'));
    expect(reason).toBe('red');
    expect(failures).toMatchObject([
      { outcome: 'returned', message: 'its predicate threw Error: mine' },
      { outcome: 'not_run', message: 'its generator threw Error: unlucky' },
    ]);
  });

  test('is not held up by a candidate that hangs on every input', async () => {
    await sealSuite(world, 'hanging', {
      ...suiteOf(doubles, "{ name: 'written', input: 1, expect: { equals: 2 } }"),
      limits: { caseMs: 200 },
    });
    const hangs = 'export const run = (n) => { if (n !== 1) for (;;); return 2; };';
    expect(read(await score('hanging', hangs)).failures).toMatchObject([{ outcome: 'timed_out' }]);
  });
});

describe('a replay', () => {
  test('gives the same again, and the smallest input that fails', async () => {
    const scored = read(await score('thousand', capsAtThousand));
    const { status, json } = await world.admin('POST', `/scores/${scored.id}/replay`);
    expect(status).toBe(200);
    expect(json).toMatchObject({ score: scored.id, seed: scored.seed, agrees: true, passed: 0, total: 1 });
    const [failure] = read({ ...Object(null), json }).failures;
    expect(failure).toMatchObject(scored.failures[0] ?? {});
    expect(failure?.smallest).toMatchObject({ input: '{"n":1000,"note":""}', isMinimal: true });

    const environment = { HOLDBACK_TOKEN: adminToken, HOLDBACK_URL: world.service.address };
    const { out, code } = await runCommand(['replay', scored.id], environment);
    expect(code).toBe(0);
    expect(out).toContain('smallest input: {"n":1000,"note":""}');
    expect(out).toContain('as in the score');
  });

  test('stores nothing but that it was asked for, and is refused where nothing was run', async () => {
    const { id } = read(await score('thousand', 'export const run = ({ n }) => n + 1;'));
    const before = await world.admin('GET', `/scores/${id}`);
    await world.admin('POST', `/scores/${id}/replay`);
    const after = await world.admin('GET', `/scores/${id}`);
    expect(after.text).toBe(before.text);
    const { json } = await world.admin('GET', '/audit?limit=1000');
    const entries: { action: string; about: object }[] = Object(json).records.map(
      ({ entry }: { entry: string }) => JSON.parse(entry),
    );
    expect(entries.filter(({ action }) => action === 'score.replayed').at(-1)?.about).toMatchObject({
      score: id,
      cases: 1,
    });

    const gate = { suites: ['thousand'], attemptsPerChange: 1 };
    await world.admin('PUT', '/gates/once', gate);
    await score('once', capsAtThousand);
    const nothing = read(await score('once', 'export const run = () => 1;'));
    expect(nothing.reason).toBe('budget_exhausted');
    const refused = await world.admin('POST', `/scores/${nothing.id}/replay`);
    expect(refused).toMatchObject({ status: 409, json: { code: 'replay_impossible' } });
  });
});

describe('a relation', () => {
  const ordered = `{
    name: 'does not depend on the order',
    input: [3, 1, 2],
    relate: { from: (input) => input.toReversed(), hold: (one, other) => one === other },
  }`;

  test('is asked about both outputs, without any other expectation', async () => {
    await sealSuite(world, 'ordered', suiteOf(ordered));
    expect(read(await score('ordered', 'export const run = (xs) => Math.max(...xs);')).reason).toBe('green');
    const first = read(await score('ordered', 'export const run = (xs) => xs[0];'));
    expect(first.failures).toMatchObject([{ outcome: 'returned', message: 'its relation answered false' }]);
    const fussy = 'export const run = (xs) => { if (xs[0] === 2) throw new TypeError("no"); return 3; };';
    expect(read(await score('ordered', fussy)).failures).toMatchObject([
      { outcome: 'threw', message: 'for the related input it threw TypeError: no' },
    ]);
  });

  test('runs the two in realms of their own', async () => {
    const remembers = 'let last; export const run = (xs) => (last ??= Math.max(...xs.slice(1)));';
    expect(read(await score('ordered', remembers)).reason).toBe('red');
  });
});

describe('a suite that generates', () => {
  test('is refused where its generator throws, hangs, makes nothing, or makes what cannot be carried', async () => {
    const findings = await findingsOf(
      caseWith("generate: () => { throw new Error('mine'); }").replace('a case', 'a'),
      caseWith('generate: () => { for (;;); }').replace('a case', 'b'),
      caseWith('generate: () => 42').replace('a case', 'c'),
      caseWith('generate: (fc) => fc.constant(() => 1)').replace('a case', 'd'),
      caseWith('generate: (fc) => fc.func(fc.nat())').replace('a case', 'e'),
      caseWith('generate: (() => { let n = 0; return (fc) => fc.nat().map(() => n++); })()').replace(
        'a case',
        'f',
      ),
      caseWith('generate: (fc) => fc.constant("x".repeat(2_000_000))').replace('a case', 'g'),
    );
    expect(findings.map(({ detail }) => detail)).toMatchObject([
      'generate threw Error: mine',
      'its inputs were not made within 2000 ms',
      'generate must return what makes inputs, as fc.integer() or fc.record({ … })',
      expect.stringMatching(/^generate made an input that cannot be carried/),
      expect.stringMatching(/^generate made an input that cannot be carried/),
      'it makes other inputs from the same seed: it may not remember what it made before',
      expect.stringMatching(/^generate made an input that cannot be carried/),
    ]);
    expect(findings.map(({ path }) => path.at(-1))).toEqual(findings.map(() => 'generate'));
  });

  test('is refused where its fields do not go together, or let everything pass', async () => {
    const all = (fields: string, name: string) => `{ name: '${name}', ${fields} }`;
    const findings = await findingsOf(
      all('generate: (fc) => fc.nat(), input: 1, expect: { equals: 1 }', 'a'),
      all('runs: 5, input: 1, expect: { equals: 1 }', 'b'),
      all('generate: (fc) => fc.nat(), runs: 1001, expect: { equals: 1 }', 'c'),
      all('generate: (fc) => fc.nat(), expect: { tripwire: true }', 'd'),
      all('generate: (fc) => fc.nat(), steps: [{ input: 1, expect: { equals: 1 } }]', 'e'),
      all('generate: (fc) => fc.nat()', 'f'),
      all('generate: 3, expect: { equals: 1 }', 'g'),
      all('input: 1, relate: { from: (n) => n }', 'h'),
      all('input: 1, relate: { from: (n) => n, hold: () => true }', 'i'),
      all('generate: (fc) => fc.nat(), expect: (output, input) => input >= 0', 'j'),
      all("input: 1, relate: { from: () => { throw new Error('mine'); }, hold: (a, b) => a === b }", 'k'),
    );
    expect(findings.map(({ path, detail }) => `${path.slice(2).join('.')}: ${detail}`)).toEqual([
      'input: is made by generate, so that there is no other',
      'runs: is for a case that generates its inputs',
      'runs: must be at most 1000',
      'expect: a tripwire has one input, and no relation',
      'generate: is for a case without steps',
      'expect: is missing',
      'generate: is a function, as (fc) => fc.integer()',
      'relate: is { from: (input) => …, hold: (output, other) => … }',
      'relate.hold: its relation holds whatever is returned',
      ': its predicate accepts whatever is returned',
      'relate: from of relate threw Error: mine',
    ]);
    // No step can have it, so that nobody is told to write it there.
    expect(findings[4]).not.toHaveProperty('suggestion');
  });

  test('calls a candidate so many times at most', async () => {
    const many =
      '...Array.from({ length: 101 }, (_, n) => ({ name: String(n), generate: (fc) => fc.nat(), runs: 1000, expect: { equals: n } }))';
    expect(await findingsOf(many)).toMatchObject([
      { detail: expect.stringMatching(/101000 times in one score/) },
    ]);
  });

  test('is a module: data has no functions', async () => {
    const path = ['cases', 0, 'generate'];
    expect(suggestionFor(path, 'is not a known field')).toMatch(/as a module/);
    const source = { cases: [{ name: 'a', generate: true, expect: { equals: 1 } }] };
    expect(await world.admin('POST', '/suites/checked/check', source)).toMatchObject({ status: 400 });
  });

  test('is read back and compared by what it generates', async () => {
    const { json } = await world.admin('GET', '/suites/doubling/revisions/1');
    expect(Object(json).contents).toEqual([
      {
        name: 'doubles whatever it is given',
        generate: true,
        runs: 20,
        expect: { predicate: true },
        tags: [],
      },
    ]);
    const changes = async (text: string) => {
      const { json: checked } = await world.admin('POST', '/suites/doubling/check', suiteOf(text));
      return Object(checked).changes;
    };
    expect(await changes(doubles)).toMatchObject({ unchanged: 1, changed: [] });
    expect(await changes(doubles.replace('runs: 20', 'runs: 21'))).toMatchObject({
      changed: [expect.any(String)],
    });
    expect(await changes(doubles.replace('min: 0', 'min: 1'))).toMatchObject({
      changed: [expect.any(String)],
    });
  });
});
