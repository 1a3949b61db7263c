/** Tripwires: who gives an answer that only the sealed suite holds has seen it, and is blocked; nobody else notices them. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSession } from '../../server/sessions.ts';
import { suiteContentsSchema } from '../../suites/suite.ts';
import { findSprung } from '../../suites/tripwire.ts';
import { type Client, startWorld, type World } from '../world.ts';

const cases = [
  { name: 'doubles', input: 2, expect: { equals: 4 } },
  { name: 'doubles the large', input: 1_000, expect: { equals: 2_000 } },
  { name: 'the order of Q3', input: { order: 'Q3-7781' }, expect: { tripwire: true } },
];
const honest = 'exports.run = (input) => input * 2;';

let world: World;
let author: Client;
let lead: Client;
let ci: Client;
/** The answer that the author reads of the tripwire. */
let answer: string;
beforeAll(async () => {
  world = await startWorld();
  [author, lead, ci] = [await world.as('author'), await world.as('lead'), await world.as('ci')];
  const pushed = await author('POST', '/suites/s/revisions?activate=true', { cases });
  expect(pushed.status, pushed.text).toBe(201);
  await world.admin('PUT', '/gates/g', { suites: ['s'], attemptsPerChange: 1_000 });
  const opened = Object((await author('GET', '/suites/s/revisions/1')).json);
  answer = opened.contents[2].expect.equals;
});
afterAll(() => world.close());

const scored = (source: string, client = ci) =>
  client('POST', '/score', { gate: 'g', change: { id: 'PR-1', commit: 'c' }, candidate: { source } });

describe('a tripwire', () => {
  test('looks to its readers like any other case, with an answer that nobody can compute', () => {
    expect(answer).toMatch(/^[0-9a-f]{32}$/);
  });

  test('is no hindrance to an honest candidate, whatever it does with the input', async () => {
    expect((await scored(honest)).json).toMatchObject({ verdict: 'merge' });
    const throwing = `exports.run = (input) => { if (typeof input !== 'number') throw new Error('no'); return input * 2; };`;
    expect((await scored(throwing)).json).toMatchObject({ verdict: 'merge' });
  });

  test('proves nothing, and is not counted among what does', async () => {
    const seen = Object((await scored(`${honest} // assured`, author)).json);
    expect(seen.assurance).toMatchObject([{ suite: 's', cases: 2 }]);
  });

  test.each([
    ['returns', (word: string) => `exports.run = (i) => typeof i === 'number' ? i * 2 : '${word}';`],
    [
      'returns deep inside',
      (word: string) => `exports.run = (i) => typeof i === 'number' ? i * 2 : { a: [{ b: '${word}' }] };`,
    ],
    [
      'throws',
      (word: string) =>
        `exports.run = (i) => { if (typeof i === 'number') return i * 2; throw new Error('${word}'); };`,
    ],
    [
      'puts together',
      (word: string) =>
        `exports.run = (i) => typeof i === 'number' ? i * 2 : '${word.slice(0, 9)}' + '${word.slice(9)}';`,
    ],
    ['knows and keeps', (word: string) => `${honest} // ${word}`],
  ])('blocks a candidate that %s its answer, and tells CI no more than red', async (_how, source) => {
    const told = await scored(source(answer));
    expect(told.json).toMatchObject({ verdict: 'block', reason: 'red' });
    expect(told.text).not.toMatch(/tripwire|alarm|Q3/i);
    const { id } = Object(told.json);
    for (const client of [author, lead]) {
      expect((await client('GET', `/scores/${id}`)).json).toMatchObject({
        alarms: [{ suite: 's', revision: 1, kind: 'tripwire', cases: 1 }],
      });
      const { alarms } = Object((await client('GET', '/alarms')).json);
      expect(alarms[0]).toMatchObject({ score: id, gate: 'g', suite: 's', kind: 'tripwire' });
    }
    expect((await ci('GET', '/alarms')).status).toBe(403);
  });

  test('is found anywhere in what a candidate says, however much that is, and everybody else has a turn meanwhile', async () => {
    const word = '0123456789abcdef'.repeat(2);
    const contents = suiteContentsSchema.parse({
      suite: 'any',
      cases: [word, 'f'.repeat(32)].map((tripwire) => {
        return { name: tripwire, input: '1', expect: { tripwire }, tags: [] };
      }),
      limits: {},
    });
    const million = 1 << 20;
    for (const at of [0, 1, million - 31, million, million + 1, 2 * million + 7]) {
      const text = `${'a'.repeat(at)}${word}`;
      expect(await findSprung(contents, ['', text, '']), `at ${at}`).toEqual([0]);
      expect(await findSprung(contents, [text.slice(0, -1), '']), `at ${at}`).toEqual([]);
    }
    let turns = 0;
    const looking = findSprung(contents, ['a0'.repeat(4 * million)]).then(() => turns);
    for (; turns < 5; turns++) await nextTurn();
    expect(await looking).toBeGreaterThan(1);
  });

  test('is still one when its suite is read and pushed again', async () => {
    const opened = Object((await author('GET', '/suites/s/revisions/1')).json);
    const again = await author('POST', '/suites/s/revisions?activate=true', { cases: opened.contents });
    expect(again.status, again.text).toBe(201);
    expect((await scored(`${honest} // again`)).json).toMatchObject({ verdict: 'merge' });
    const guilty = `exports.run = (i) => typeof i === 'number' ? i * 2 : '${answer}'; // again`;
    expect((await scored(guilty)).json).toMatchObject({ verdict: 'block' });
  });

  test('in a module is one too', async () => {
    const module = `export default { cases: [
      { name: 'a', input: 1, expect: (output) => output === 2 },
      { name: 'b', input: 'x', expect: { tripwire: true } },
    ] };`;
    const pushed = await author('POST', '/suites/m/revisions?activate=true', { module });
    expect(pushed.status, pushed.text).toBe(201);
    const { contents } = Object((await author('GET', '/suites/m/revisions/1')).json);
    expect(contents[1].expect.equals).toMatch(/^[0-9a-f]{32}$/);
    expect(contents[1].expect.equals).not.toBe(answer);
  });

  test('does not make a suite: there is something besides, or nothing would be tested', async () => {
    const pushed = await author('POST', '/suites/empty/revisions', { cases: cases.slice(2) });
    expect(pushed.status).toBe(422);
    expect(pushed.json).toMatchObject({ code: 'suite_invalid' });
  });
});

describe('a candidate that holds cases of the sealed suite', () => {
  test('is scored like the others, and authors and leads are told that it does', async () => {
    const secret = { customer: 'Thornbury Wainscot GmbH', coupon: 'LANTERN-4471-QUOKKA', cents: 918_273 };
    const sealed = [{ name: 'leaked', input: secret, expect: { equals: 918_273 } }];
    await author('POST', '/suites/known/revisions?activate=true', { cases: sealed });
    await world.admin('PUT', '/gates/known', { suites: ['known'] });
    const request = (source: string) => ({
      gate: 'known',
      change: { id: 'p', commit: 'c' },
      candidate: { source },
    });
    const guilty = `const seen = ${JSON.stringify(secret, null, 2)}; exports.run = (input) => input.cents;`;
    const told = await ci('POST', '/score', request(guilty));
    expect(told.json).toMatchObject({ verdict: 'merge' });
    expect(told.text).not.toMatch(/alarm|fingerprint/);
    const { id } = Object(told.json);
    expect((await lead('GET', `/scores/${id}`)).json).toMatchObject({
      alarms: [{ suite: 'known', kind: 'fingerprints', cases: 1 }],
    });
    const innocent = await ci('POST', '/score', request('exports.run = (input) => input.cents;'));
    expect((await lead('GET', `/scores/${Object(innocent.json).id}`)).json).toMatchObject({ alarms: [] });
    const { id: reader } = Object(
      (await world.admin('POST', '/tokens', { role: 'lead', name: 'lead' })).json,
    );
    const cookie = `holdback_session=${await openSession(world.service.database.database, reader)}`;
    const page = await fetch(`${world.service.address}/ui/changes/p?gate=known`, { headers: { cookie } });
    const row = /<th scope="row">Alarm.*?<\/tr>/s.exec(await page.text())?.[0];
    expect(row?.match(/holds sealed text|<td><span class="muted">–/g)).toEqual([
      '<td><span class="muted">–',
      'holds sealed text',
    ]);
  });
});
