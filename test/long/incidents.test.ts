/** From a bug that got past a gate to a case that would have caught it: recorded, drafted, proven, and only then asked. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { escapesSchema, incidentSchema } from '../../gate/incidents/incident.ts';
import { audit } from '../../migrations/tables.ts';
import { runCommand } from '../command.ts';
import { adminToken, type Client, type Reply, scoreRequest, startWorld, type World } from '../world.ts';

let world: World;
let author: Client;
let ci: Client;
let lead: Client;
beforeAll(async () => {
  world = await startWorld({
    HOLDBACK_POOL: '1',
    HOLDBACK_HOSTS_PER_SCORE: '1',
    HOLDBACK_PREFLIGHT_ROUNDS: '1',
  });
  const owned = (role: 'author' | 'lead', owner: string) => world.as(role, undefined, { owner });
  [author, ci, lead] = await Promise.all([owned('author', 'ada'), world.as('ci'), owned('lead', 'lea')]);
});
afterAll(() => world.close());

const fixed = 'export function run(x) { return x }';
const wrong = 'export function run(x) { return x === 13 ? "unlucky" : x }';
/** What only authors may read. */
const told = { title: 'thirteen is unlucky-secret', details: 'seen by a customer-secret' };
const draft = { case: { name: 'gives back thirteen-secret', input: 13, expect: { equals: 13 } } };
const simple = { cases: [{ name: 'gives back one', input: 1, expect: { equals: 1 } }] };

let names = 0;
async function sealed(source: object = simple): Promise<string> {
  const suite = `incidents-${names++}`;
  const pushed = await author('POST', `/suites/${suite}/revisions?activate=true`, source);
  expect(pushed.status, pushed.text).toBe(201);
  await world.admin('PUT', `/gates/${suite}`, { suites: [suite], attemptsPerChange: 1_000 });
  return suite;
}

async function score(gate: string, source: string, change = 'PR-1') {
  const { json, text } = await author('POST', '/score', scoreRequest(gate, source, change));
  const { id, verdict, candidate } = Object(json);
  expect(verdict, text).toBeTypeOf('string');
  return { id: `${id}`, verdict: `${verdict}`, digest: `${candidate?.digest}` };
}

/** An incident of a build that this gate let merge, with a case. */
async function escaped({
  gate,
  source = wrong,
  ...more
}: {
  gate?: string;
  source?: string;
  draft?: object;
}) {
  const suite = gate ?? (await sealed());
  const green = await score(suite, source);
  expect(green.verdict).toBe('merge');
  const body = { gate: suite, score: green.id, ...told, draft, ...more };
  const reply = await author('POST', '/incidents', body);
  expect(reply.status, reply.text).toBe(201);
  return { suite, green, incident: incidentSchema.parse(reply.json) };
}

const prove = (id: string, source: string) => author('POST', `/incidents/${id}/proof`, { fix: { source } });
const activate = (suite: string, revision = 2) =>
  author('POST', `/suites/${suite}/revisions/${revision}/activate`);

/** That nothing of what only authors may read is in an answer. */
function expectSecret({ text }: Reply): void {
  for (const word of ['secret', 'thirteen', '13,', 'unlucky']) expect(text).not.toContain(word);
}

describe('an incident', () => {
  test('is recorded against what merged, and against nothing else', async () => {
    const gate = await sealed();
    const record = (body: object) => author('POST', '/incidents', { gate, title: 'a bug', ...body });
    const red = await score(gate, 'export const run = () => 0', 'PR-red');
    for (const body of [{ score: red.id }, { change: { id: 'PR-red', commit: 'c0ffee' } }])
      expect((await record(body)).json).toMatchObject({ status: 409, code: 'incident_not_merged' });
    expect((await record({ score: crypto.randomUUID() })).json).toMatchObject({ code: 'score_not_found' });
    expect((await record({ change: { id: 'PR-nobody', commit: 'c0ffee' } })).status).toBe(409);
    for (const body of [{}, { score: red.id, change: { id: 'PR-red', commit: 'c0ffee' } }])
      expect((await record(body)).status).toBe(400);
    const elsewhere = await score(await sealed(), wrong);
    expect((await record({ score: elsewhere.id })).json).toMatchObject({ code: 'score_not_found' });
    expect((await author('GET', `/incidents?gate=${gate}`)).json).toEqual({ incidents: [] });

    const green = await score(gate, wrong);
    const byChange = await record({ change: { id: 'PR-1', commit: 'c0ffee' } });
    expect(byChange.json, byChange.text).toMatchObject({
      score: green.id,
      candidate: green.digest,
      state: 'recorded',
      case: null,
      proofs: [],
    });
    expect((await record({ change: { id: 'PR-1', commit: 'dead' } })).status).toBe(409);
    const overridden = await lead('POST', `/scores/${red.id}/override`, { reason: 'urgent' });
    expect(overridden.status, overridden.text).toBeLessThan(300);
    expect((await record({ score: red.id })).status).toBe(201);
    const { json } = await author('GET', `/incidents?gate=${gate}`);
    expect(json).toMatchObject({ incidents: [{ score: red.id }, { score: green.id }] });
  });

  test('whose case is refused is recorded all the same, and the refusal names it', async () => {
    const gate = await sealed();
    const green = await score(gate, wrong);
    const taken = { case: { name: 'gives back one', input: 13, expect: { equals: 13 } } };
    const refused = await author('POST', '/incidents', { gate, score: green.id, title: 'x', draft: taken });
    expect(refused.json).toMatchObject({ code: 'suite_invalid' });
    const [, id = ''] = /incident ([0-9a-f-]{36}) is recorded/.exec(refused.text) ?? [];
    expect((await author('GET', `/incidents/${id}`)).json).toMatchObject({ state: 'recorded' });
    for (const one of [
      { name: 'the same under another name', input: 1, expect: { equals: 1 } },
      { name: 'bait', input: 13, expect: { tripwire: true } },
      { name: 'nothing is wanted', input: 13 },
    ]) {
      const again = await author('POST', `/incidents/${id}/case`, { case: one });
      expect([400, 422], again.text).toContain(again.status);
    }
    const unknown = await author('POST', `/incidents/${id}/case`, { ...draft, suite: 'another' });
    expect(unknown.json).toMatchObject({ code: 'incident_unfit' });
    const unproven = await prove(id, fixed);
    expect(unproven.json).toMatchObject({ status: 409, code: 'incident_unfit' });
    expect((await author('POST', `/incidents/${id}/case`, draft)).json).toMatchObject({ state: 'drafted' });
  });
});

describe("an incident's case", () => {
  test('is the active revision and one case more, which is activated when it is proven', async () => {
    const { suite, green, incident } = await escaped({});
    expect(incident).toMatchObject({
      ...told,
      state: 'drafted',
      case: { suite, revision: 2, name: draft.case.name },
    });
    const { json } = await author('GET', `/suites/${suite}/revisions/2`);
    expect(json).toMatchObject({
      state: 'draft',
      contents: [{ name: 'gives back one' }, { ...draft.case, tags: ['incident'] }],
    });
    const refused = await activate(suite);
    expect(refused.json).toMatchObject({ code: 'activation_refused' });
    expect(refused.text).toContain(`holdback incident prove ${incident.id} --fix`);

    const proven = await prove(incident.id, fixed);
    expect(proven.json, proven.text).toMatchObject({
      state: 'proven',
      proofs: [{ escaped: green.digest, escapedPassed: false, fixPassed: true, proves: true }],
    });
    expect((await activate(suite)).status).toBe(200);
    expect((await score(suite, wrong, 'PR-2')).verdict).toBe('block');
    expect((await score(suite, fixed, 'PR-3')).verdict).toBe('merge');
    const cases = await author('GET', `/suites/${suite}/cases`);
    expect(cases.text).toContain(incident.id);
  });

  test.each([
    [
      'passes on the build that escaped',
      { draft: { case: { name: 'b', input: 2, expect: { equals: 2 } } } },
      fixed,
      [true, true],
    ],
    ['fails on the fix', {}, `${wrong} // in vain`, [false, false]],
    ['hangs the fix', {}, 'export function run(x) { while (x === 13); return x }', [false, false]],
    [
      'ends the process of the fix',
      {},
      'export function run(x) { return "x".repeat(2 ** 28).split("").map((y) => y.repeat(2 ** 20).split("")) }',
      [false, false],
    ],
    ['is given a fix that is no module', {}, 'export function {', [false, false]],
  ])('is not proven where it %s', async (_, more, fix, [escapedPassed, fixPassed]) => {
    const gate = await sealed({ ...simple, limits: { caseMs: 300 } });
    const { suite, incident } = await escaped({ gate, ...more });
    const tried = await prove(incident.id, fix);
    expect(tried.json, tried.text).toMatchObject({
      state: 'drafted',
      proofs: [{ escapedPassed, fixPassed, proves: false }],
    });
    expect((await activate(suite)).json).toMatchObject({ code: 'activation_refused' });
  });

  test('is not proven by what escaped itself, nor by a build that nobody has', async () => {
    // Of a build that is wrong by turns, the one half would else prove what the other does.
    const { suite, incident } = await escaped({});
    expect((await prove(incident.id, wrong)).json).toMatchObject({ code: 'incident_unfit' });
    const unknown = { fix: { digest: `sha256:${'0'.repeat(64)}` } };
    const missing = await author('POST', `/incidents/${incident.id}/proof`, unknown);
    expect(missing.json).toMatchObject({ status: 404, code: 'candidate_not_found' });
    expect((await author('GET', `/incidents/${incident.id}`)).json).toMatchObject({ proofs: [] });
    expect((await activate(suite)).status).toBe(409);
  });

  test('is proven on a build that hangs by it', async () => {
    const gate = await sealed({ ...simple, limits: { caseMs: 300 } });
    const { incident } = await escaped({
      gate,
      source: 'export function run(x) { while (x === 13); return x }',
    });
    expect((await prove(incident.id, fixed)).json).toMatchObject({ state: 'proven' });
  });

  test('goes into suites of predicates, scenarios and references, which stay as they are', async () => {
    const module = `export default { cases: [
      { name: 'predicate', input: 1, expect: (output) => output === 1 },
      { name: 'scenario', steps: [{ input: 2, expect: (output) => output === 2 }, { input: { $output: 0 }, expect: { equals: 2 } }] },
    ] }`;
    const references = [{ name: 'right', build: fixed, verdict: 'merge' }];
    const gate = await sealed({ module, references });
    const steps = [{ input: 13 }, { input: { $output: 0 }, expect: { equals: 13 } }];
    const { suite, incident } = await escaped({ gate, draft: { case: { name: 'twice thirteen', steps } } });
    expect((await prove(incident.id, fixed)).json).toMatchObject({ state: 'proven' });
    const compared = { case: { name: 'as the right one', input: 13, sameAs: 'right' } };
    const other = await author('POST', `/incidents/${incident.id}/case`, compared);
    expect(other.json, other.text).toMatchObject({ state: 'drafted', case: { revision: 3 }, proofs: [] });
    expect((await activate(suite, 3)).status).toBe(409);
    expect((await prove(incident.id, `${fixed}; //`)).json).toMatchObject({ state: 'proven' });
    const activated = await activate(suite, 3);
    expect(activated.status, activated.text).toBe(200);
    expect((await score(suite, wrong, 'PR-2')).verdict).toBe('block');
    expect((await score(suite, 'export const run = () => 2', 'PR-3')).verdict).toBe('block');
    expect((await score(suite, fixed, 'PR-4')).verdict).toBe('merge');
  });
});

describe('who reads', () => {
  test('as a lead counts, as an agent nothing, and beyond their limits nothing either', async () => {
    const { suite, incident } = await escaped({});
    const { id } = incident;
    await prove(id, fixed);
    const paths = [`/incidents`, `/incidents/${id}`, `/gates/${suite}/escapes`];
    for (const path of paths) {
      const reply = await lead('GET', path);
      expect(reply.status, reply.text).toBe(200);
      expectSecret(reply);
    }
    expect((await lead('GET', `/incidents/${id}`)).json).toMatchObject({
      state: 'proven',
      case: { suite, revision: 2 },
    });
    const harness = await world.as('harness');
    for (const client of [ci, harness]) {
      for (const path of paths) expect((await client('GET', path)).status).toBe(403);
      for (const path of ['/incidents', `/incidents/${id}/case`, `/incidents/${id}/proof`])
        expect((await client('POST', path, {})).status).toBe(403);
    }
    expect((await lead('POST', `/incidents/${id}/proof`, { fix: { source: fixed } })).status).toBe(403);

    const otherGate = await world.as('author', ['another']);
    expect((await otherGate('GET', '/incidents')).json).toEqual({ incidents: [] });
    for (const path of [`/incidents?gate=${suite}`, ...paths.slice(1)]) {
      const reply = await otherGate('GET', path);
      expect(reply.json, reply.text).toMatchObject({ code: 'gate_forbidden' });
    }
    expect((await otherGate('POST', `/incidents/${id}/case`, draft)).status).toBe(403);

    const otherSuite = await world.as('author', [suite], { suites: ['another'] });
    const seen = await otherSuite('GET', `/incidents/${id}`);
    expectSecret(seen);
    expect(seen.json).toMatchObject({ state: 'proven', case: null, proofs: [] });
    for (const [path, body] of [
      ['/case', draft],
      ['/proof', { fix: { source: fixed } }],
    ] as const) {
      const reply = await otherSuite('POST', `/incidents/${id}${path}`, body);
      expect(reply.json).toMatchObject({ code: 'suite_forbidden' });
      expectSecret(reply);
    }
  });

  test('the audit learns that it was done, and not what', async () => {
    const records = await world.service.database.database.select().from(audit);
    const entries = records.map(({ entry }) => entry).join('\n');
    for (const action of ['incident.recorded', 'incident.drafted', 'incident.proved', 'incident.read'])
      expect(entries).toContain(action);
    for (const word of ['secret', 'thirteen', 'unlucky']) expect(entries).not.toContain(word);
  });
});

test('escapes are counted out of what became green, each once, beside what was recorded', async () => {
  const { suite, green } = await escaped({});
  await author('POST', '/incidents', {
    gate: suite,
    score: green.id,
    title: 'another bug of the same build',
  });
  await score(suite, wrong);
  await score(suite, fixed, 'PR-2');
  const red = await score(suite, 'export const run = () => 0', 'PR-3');
  await lead('POST', `/scores/${red.id}/override`, { reason: 'urgent' });
  await author('POST', '/incidents', { gate: suite, score: red.id, title: 'as was to be expected' });
  const ask = async (query: string) => {
    const { json, text } = await lead('GET', `/gates/${suite}/escapes${query}`);
    return escapesSchema.parse(json, { error: () => text }).buckets;
  };
  for (const bucket of ['day', 'week', 'month']) {
    const [first, ...others] = await ask(`?bucket=${bucket}`);
    expect(others).toEqual([]);
    expect(first).toMatchObject({ merged: 2, escaped: 1, recorded: 3 });
    expect(new Date(first?.from ?? '').getTime()).toBeLessThanOrEqual(Date.now());
  }
  expect(await ask('?to=2020-01-01T00:00:00Z')).toEqual([]);
  expect(await ask('?from=2099-01-01T00:00:00Z&to=2099-02-01T00:00:00Z')).toEqual([]);
  expect((await lead('GET', '/gates/nobody/escapes')).status).toBe(404);
  for (const when of ['from', 'to']) {
    const reply = await lead('GET', `/gates/${suite}/escapes?${when}=0000-01-01T00:00:00Z`);
    expect(reply.status, reply.text).toBe(400);
  }
});

test('all of it is done on the command line', async () => {
  const suite = await sealed();
  await score(suite, wrong);
  const holdback = (...flags: string[]) =>
    runCommand(flags, { HOLDBACK_URL: world.service.address, HOLDBACK_TOKEN: adminToken });
  const flags = ['--gate', suite, '--change', 'PR-1', '--commit', 'c0ffee', '--title', 'no thirteen'];
  const asked = ['--input', '13', '--expect', '{"equals": 13}', '--json'];
  const made = await holdback('incident', 'create', ...flags, ...asked);
  expect(made, made.err).toMatchObject({ code: 0 });
  const { id } = incidentSchema.parse(JSON.parse(made.out));
  const { digest } = await score(suite, fixed, 'PR-2');
  const { digest: vain } = await score(suite, `${wrong} //`, 'PR-3');
  const failed = await holdback('incident', 'prove', id, '--fix', vain);
  expect(failed).toMatchObject({ code: 1, err: expect.stringContaining('proves nothing') });
  const proven = await holdback('incident', 'prove', id, '--fix', digest);
  expect(proven, proven.err).toMatchObject({ code: 0, out: expect.stringContaining('fails on the build') });
  const [listed, shown, escapes] = await Promise.all([
    holdback('incident', 'list', '--gate', suite),
    holdback('incident', 'show', id),
    holdback('gate', 'escapes', suite),
  ]);
  expect(listed.out).toContain('no thirteen');
  expect(shown.out).toContain('its case is proven');
  expect(escapes.out).toContain('1 of 3 merged');
});
