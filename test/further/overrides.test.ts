/** Humans who let a blocked commit merge: who may, what it holds for, and that nothing is forgotten by it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, startWorld, type World } from '../world.ts';

const wrong = 'exports.run = () => 0;';

let world: World;
let ci: Client;
beforeAll(async () => {
  world = await startWorld();
  ci = await world.as('ci');
  const cases = [{ name: 'one', input: 1, expect: { equals: 2 } }];
  await world.admin('POST', '/suites/s/revisions?activate=true', { cases });
  await world.admin('PUT', '/gates/one', { suites: ['s'] });
  await world.admin('PUT', '/gates/two', { suites: ['s'], overrideApprovals: 2 });
});
afterAll(() => world.close());

/** A lead's client: each is a person of their own unless an owner is named. */
async function lead(owner?: string, gates?: string[]): Promise<Client> {
  const request = {
    role: 'lead' as const,
    name: 'a lead',
    ...(owner === undefined ? {} : { owner }),
    ...(gates === undefined ? {} : { gates }),
  };
  const made = await world.admin('POST', '/tokens', request);
  expect(made.status, made.text).toBe(201);
  return world.client(`${Reflect.get(Object(made.json), 'token')}`);
}

async function scored(gate: string, change: object, source = wrong): Promise<{ id: string; path: string }> {
  const reply = await ci('POST', '/score', { gate, change, candidate: { source } });
  const { id, candidate } = Object(reply.json);
  const { id: changeId, commit, repository } = Object(change);
  const within = repository === undefined ? '' : `&repository=${repository}`;
  return {
    id,
    path: `/verdict?gate=${gate}&change=${changeId}&commit=${commit}&candidate=${candidate.digest}${within}`,
  };
}

describe('an override', () => {
  test('lets the very commit and candidate merge, on every way that CI asks, and no other', async () => {
    const change = { id: 'PR-1', commit: 'aaa' };
    const { id, path } = await scored('one', change);
    const given = await (await lead('ada'))('POST', `/scores/${id}/override`, {
      reason: 'the suite is wrong: #12',
    });
    expect(given.json).toMatchObject({
      verdict: 'merge',
      reason: 'overridden',
      override: {
        scored: 'red',
        needed: 1,
        approvals: [{ person: 'ada', reason: 'the suite is wrong: #12' }],
      },
    });
    expect((await ci('GET', path)).json).toMatchObject({
      verdict: 'merge',
      canMerge: true,
      reason: 'overridden',
    });
    const again = await ci('POST', '/score', { gate: 'one', change, candidate: { source: wrong } });
    expect(again.json).toMatchObject({ verdict: 'merge', reason: 'overridden' });
    // With its quotes, because the id of a score may have these letters in it.
    expect(again.text).not.toMatch(/"ada"|#12/);
    for (const [gate, other, source] of [
      ['one', { ...change, commit: 'bbb' }, wrong],
      ['one', { ...change, id: 'PR-2' }, wrong],
      ['one', { ...change, repository: 'acme/shop' }, wrong],
      ['one', change, `${wrong} // another build`],
      ['two', change, wrong],
    ] as const) {
      const { path: elsewhere } = await scored(gate, other, source);
      expect((await ci('GET', elsewhere)).json).toMatchObject({ verdict: 'block', reason: 'red' });
    }
  });

  test('erases nothing: history has the score as it was, and the audit who did what and why', async () => {
    const { id } = await scored('one', { id: 'PR-3', commit: 'aaa' });
    await (await lead('ada'))('POST', `/scores/${id}/override`, { reason: 'urgent' });
    const history = await (await lead())('GET', '/changes/PR-3?gate=one');
    expect(history.json).toMatchObject({
      scores: [
        {
          id,
          passed: 0,
          total: 1,
          override: { scored: 'red', approvals: [{ person: 'ada', reason: 'urgent' }] },
        },
      ],
    });
  });

  test('needs two different people where the gate says so', async () => {
    const { id, path } = await scored('two', { id: 'PR-4', commit: 'aaa' });
    const override = (client: Client) => client('POST', `/scores/${id}/override`, { reason: 'fine by me' });
    expect((await override(await lead('ada'))).json).toMatchObject({ verdict: 'block', reason: 'red' });
    expect((await ci('GET', path)).json).toMatchObject({ verdict: 'block', reason: 'red' });
    const twice = await override(await lead('ada'));
    expect(twice.status).toBe(409);
    expect(twice.json).toMatchObject({ code: 'override_given' });
    expect((await ci('GET', path)).json).toMatchObject({ verdict: 'block' });
    expect((await override(await lead('grace'))).json).toMatchObject({
      verdict: 'merge',
      reason: 'overridden',
    });
    expect((await ci('GET', path)).json).toMatchObject({ verdict: 'merge' });
  });

  test('is for leads of the gate alone, with a reason, and for what is blocked', async () => {
    const { id } = await scored('one', { id: 'PR-5', commit: 'aaa' });
    const path = `/scores/${id}/override`;
    for (const role of ['ci', 'harness', 'author'] as const) {
      expect((await (await world.as(role))('POST', path, { reason: 'me' })).status).toBe(403);
    }
    expect((await (await lead('eve', ['two']))('POST', path, { reason: 'me' })).json).toMatchObject({
      code: 'gate_forbidden',
    });
    const ofOtherSuites = await world.as('lead', undefined, { suites: ['another'] });
    expect((await ofOtherSuites('POST', path, { reason: 'me' })).json).toMatchObject({
      code: 'suite_forbidden',
    });
    const ada = await lead('ada');
    expect((await ada('POST', path, {})).status).toBe(400);
    expect((await ada('POST', path, { reason: '' })).status).toBe(400);
    const green = await scored('one', { id: 'PR-6', commit: 'aaa' }, 'exports.run = () => 2;');
    expect((await ada('POST', `/scores/${green.id}/override`, { reason: 'why not' })).json).toMatchObject({
      code: 'override_not_needed',
    });
    expect((await ada('POST', `/scores/${crypto.randomUUID()}/override`, { reason: 'x' })).status).toBe(404);
  });
});
