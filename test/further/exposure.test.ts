/** The exposure ledger: what disclosed verdicts may have taught is counted on cases and changes, and nothing resets it but fresh cases. */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyTemplate } from '../template-database.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { type Client, startWorld, type World } from '../world.ts';

/** Slots so long that every score ends in its first: each costs 1 bit for the verdict and 1 for the time. */
const settings = { HOLDBACK_SLOT_MS: '600000' };

const addOne = 'exports.run = (input) => input + 1;';
/** Wrong, and each another candidate. */
const wrong = (turn: number) => `exports.run = () => ${turn} - 1e9;`;
/** Right, and each another candidate. */
const right = (turn: number) => `${addOne} // ${turn}`;

const casesFrom = (first: number, name = 'case') =>
  [0, 1, 2].map((index) => ({
    name: `${name} ${index}`,
    input: first + index,
    expect: { equals: first + index + 1 },
  }));

let dataDir: string;
let world: World;
let turn = 0;
beforeAll(async () => {
  dataDir = await temporaryFolder();
  await copyTemplate(dataDir);
  world = await startWorld({ ...settings, HOLDBACK_DATA_DIR: dataDir });
});
afterAll(async () => {
  await world.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function pushSuite(suite: string, cases: object[]): Promise<void> {
  const pushed = await world.admin('POST', `/suites/${suite}/revisions?activate=true`, { cases });
  expect(pushed.status, pushed.text).toBe(201);
}

async function setGate(gate: string, policy: object): Promise<void> {
  const set = await world.admin('PUT', `/gates/${gate}`, { suites: [gate], ...policy });
  expect(set.status, set.text).toBe(200);
}

/** What a score came to: its reason. */
async function reasonOf(
  gate: string,
  source: string,
  change: object = { id: 'PR-1' },
  client: Client = world.admin,
): Promise<unknown> {
  turn++;
  const scored = await client('POST', '/score', {
    gate,
    change: { commit: `c${turn}`, ...change },
    candidate: { source },
  });
  expect(scored.status, scored.text).toBe(200);
  return Reflect.get(Object(scored.json), 'reason');
}

async function exposureOf(gate: string): Promise<unknown> {
  const lead = await world.as('lead');
  return (await lead('GET', `/gates/${gate}/exposure`)).json;
}

describe('the attempts of a change', () => {
  test('are candidates: the same one again costs nothing and gets the same verdict', async () => {
    await pushSuite('again', casesFrom(0));
    await setGate('again', { attemptsPerChange: 2 });
    expect(await reasonOf('again', wrong(1))).toBe('red');
    expect(await reasonOf('again', wrong(2))).toBe('red');
    expect(await reasonOf('again', right(1))).toBe('budget_exhausted');
    expect(await reasonOf('again', wrong(1))).toBe('red');
    expect(await reasonOf('again', wrong(2))).toBe('red');
    expect(await exposureOf('again')).toMatchObject({ suites: [{ suite: 'again', bits: 4 }] });
  });

  test('are 20 unless the gate says otherwise', async () => {
    await pushSuite('usual', casesFrom(0));
    await setGate('usual', {});
    expect(await exposureOf('usual')).toMatchObject({ attemptsPerChange: 20 });
  });

  test('are counted by repository and change, whoever asks, and outlive the service', async () => {
    await pushSuite('counted', casesFrom(100));
    await setGate('counted', { attemptsPerChange: 1 });
    const shop = { id: 'PR-7', repository: 'acme/shop' };
    expect(await reasonOf('counted', wrong(1), shop)).toBe('red');
    const another = await world.as('author');
    expect(await reasonOf('counted', right(1), shop, another)).toBe('budget_exhausted');
    expect(await reasonOf('counted', right(2), { id: 'PR-8', repository: 'acme/shop' })).toBe('green');
    expect(await reasonOf('counted', right(3), { id: 'PR-7', repository: 'acme/other' })).toBe('green');
    expect(await reasonOf('counted', right(4), { id: 'PR-7' })).toBe('green');
    await world.close();
    world = await startWorld({ ...settings, HOLDBACK_DATA_DIR: dataDir });
    expect(await reasonOf('counted', right(5), shop)).toBe('budget_exhausted');
    // A new policy is no new budget.
    await setGate('counted', { attemptsPerChange: 1, disclosure: 'counts' });
    expect(await reasonOf('counted', right(6), shop)).toBe('budget_exhausted');
    // Neither are the same cases under other names in another revision.
    await pushSuite('counted', casesFrom(100, 'renamed'));
    expect(await reasonOf('counted', right(7), shop)).toBe('budget_exhausted');
    await pushSuite('counted', casesFrom(200));
    expect(await reasonOf('counted', right(8), shop)).toBe('green');
  });

  test('asked for all at once are no more than one after the other', async () => {
    await pushSuite('rushed', casesFrom(0));
    await setGate('rushed', { attemptsPerChange: 3 });
    const reasons = await Promise.all(
      Array.from({ length: 9 }, (_, attempt) =>
        reasonOf('rushed', wrong(attempt), { id: 'PR-1', commit: 'one' }),
      ),
    );
    expect(reasons.filter((reason) => reason === 'red')).toHaveLength(3);
    expect(reasons.filter((reason) => reason === 'budget_exhausted')).toHaveLength(6);
  });
});

describe('the bits of a suite', () => {
  test('are spent by every disclosed verdict, until all of its cases are fresh', async () => {
    await pushSuite('spent', casesFrom(1_000));
    await setGate('spent', { exposureBudgetBits: 7, attemptsPerChange: 1_000 });
    const reasons: unknown[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      reasons.push(await reasonOf('spent', wrong(attempt), { id: `PR-${attempt}` }));
    }
    expect(reasons).toEqual(['red', 'red', 'red', 'budget_exhausted']);
    expect(await exposureOf('spent')).toEqual({
      gate: 'spent',
      budgetBits: 7,
      attemptsPerChange: 1_000,
      suites: [{ suite: 'spent', revision: 1, bits: 6 }],
    });
    // One fresh case among spent ones does not help: the spent ones are known.
    await pushSuite('spent', [...casesFrom(1_000).slice(0, 1), ...casesFrom(2_000, 'fresh')]);
    expect(await reasonOf('spent', right(1))).toBe('budget_exhausted');
    await pushSuite('spent', casesFrom(2_000, 'fresh'));
    expect(await reasonOf('spent', right(2))).toBe('green');
  });

  test('asked for all at once are no more than one after the other', async () => {
    await pushSuite('hurried', casesFrom(3_000));
    await setGate('hurried', { exposureBudgetBits: 5 });
    const reasons = await Promise.all(
      Array.from({ length: 8 }, (_, attempt) => reasonOf('hurried', wrong(attempt), { id: `PR-${attempt}` })),
    );
    expect(reasons.filter((reason) => reason === 'red')).toHaveLength(2);
    expect(await exposureOf('hurried')).toMatchObject({ suites: [{ bits: 4 }] });
  });

  test('are not spent on a verdict that would cost more than is left', async () => {
    await pushSuite('dear', casesFrom(4_000));
    // 1 for each of 3 cases, 1 for the time.
    await setGate('dear', { exposureBudgetBits: 3, disclosure: 'names' });
    expect(await reasonOf('dear', wrong(1))).toBe('budget_exhausted');
    expect(await exposureOf('dear')).toMatchObject({ suites: [{ bits: 0 }] });
  });

  test('are inherited by a copy of the suite under another name, at another gate', async () => {
    await pushSuite('original', casesFrom(5_000));
    await setGate('original', { attemptsPerChange: 1_000 });
    for (let attempt = 0; attempt < 3; attempt++) await reasonOf('original', wrong(attempt));
    await pushSuite('copy', [...casesFrom(5_000, 'as it is called now'), ...casesFrom(6_000)]);
    await setGate('copy', { exposureBudgetBits: 7 });
    expect(await exposureOf('copy')).toMatchObject({ suites: [{ suite: 'copy', bits: 6 }] });
    expect(await reasonOf('copy', right(1))).toBe('budget_exhausted');
  });

  test('are those of its case that was asked most, in whichever revision and suite, whenever these came', async () => {
    const bits = async (gate: string) => Object(await exposureOf(gate)).suites[0].bits;
    const [first, second, third] = casesFrom(10_000);
    const fresh = casesFrom(11_000, 'fresh');
    // A case that comes twice is one case.
    await pushSuite('shared', [first, second, third, { ...third, name: 'again' }].map(Object));
    await setGate('shared', { attemptsPerChange: 1_000 });
    await reasonOf('shared', wrong(1));
    expect(await bits('shared')).toBe(2);
    await pushSuite('other', [{ ...third, name: 'of another suite' }, ...fresh]);
    await setGate('other', { attemptsPerChange: 1_000 });
    expect(await bits('other')).toBe(2);
    await reasonOf('other', wrong(2));
    expect([await bits('shared'), await bits('other')]).toEqual([4, 4]);
    await pushSuite('shared', [first, second].map(Object));
    expect(await bits('shared')).toBe(2);
    await reasonOf('shared', wrong(3));
    expect([await bits('shared'), await bits('other')]).toEqual([4, 4]);
    await pushSuite('shared', [Object(third), ...casesFrom(12_000, 'new')]);
    expect(await bits('shared')).toBe(4);
    await pushSuite('shared', casesFrom(12_000, 'new'));
    expect(await bits('shared')).toBe(0);
  });

  test('cost more where the gate discloses more', async () => {
    await pushSuite('told', casesFrom(7_000));
    await setGate('told', { disclosure: 'counts' });
    await reasonOf('told', wrong(1));
    // log2(3 + 1) for the count, 1 for the time.
    expect(await exposureOf('told')).toMatchObject({ suites: [{ bits: 3 }] });
    await setGate('told', { disclosure: 'names' });
    await reasonOf('told', wrong(2));
    // 1 for each of 3 cases, 1 for the time.
    expect(await exposureOf('told')).toMatchObject({ suites: [{ bits: 7 }] });
  });

  test('one candidate that is submitted many times at once runs once and is charged once', async () => {
    await pushSuite('flood', casesFrom(8_000));
    await setGate('flood', {});
    const reasons = await Promise.all(
      Array.from({ length: 8 }, () => reasonOf('flood', wrong(1), { id: 'PR-1', commit: 'one' })),
    );
    expect(new Set(reasons)).toEqual(new Set(['red']));
    expect(await exposureOf('flood')).toMatchObject({ suites: [{ bits: 2 }] });
  });

  test('what was blocked before it ran, and what we failed at, costs nothing', async () => {
    await world.admin('POST', '/suites/drafted/revisions', { cases: casesFrom(9_000) });
    await setGate('drafted', {});
    expect(await reasonOf('drafted', right(1))).toBe('not_scored');
    await world.admin('POST', '/suites/drafted/revisions/1/activate');
    expect(await exposureOf('drafted')).toMatchObject({ suites: [{ bits: 0 }] });
  });
});
