/** Every error is a problem that says what to do, whoever asks and however; and none tells ci anything of a suite. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import type { Role } from '../gate/disclosure/disclosed.ts';
import { createToken } from '../server/tokens.ts';
import { type Client, type Reply, scoreRequest, sealSuite, startWorld, type World } from './world.ts';

const right = 'export function run(x) { return x }';
const looping = 'export function run(x) { while (true); }';
const canary = 'CANARY-OF-THE-SUITE';
const mib = 1 << 20;
const unknownDigest = `sha256:${'0'.repeat(64)}`;

/** Who may call each route, besides admin. Health and the document itself are open to all. */
const rolesOf: Record<string, Role[] | 'anybody'> = {
  'PUT /gates/{gate}': [],
  'GET /gates': ['author', 'lead'],
  'GET /gates/{gate}': ['author', 'lead'],
  'GET /gates/{gate}/exposure': ['author', 'lead'],
  // Anybody, for what a gate shows to everybody.
  'GET /gates/{gate}/badge.svg': 'anybody',
  'GET /gates/{gate}/trends.svg': 'anybody',
  'POST /suites/{suite}/revisions': ['ci', 'author'],
  'POST /suites/{suite}/check': ['author'],
  'POST /suites/{suite}/revisions/{revision}/activate': ['author'],
  'POST /suites/{suite}/revisions/{revision}/preflight': ['author'],
  'POST /suites/{suite}/revisions/{revision}/strength': ['author'],
  'GET /suites/{suite}/revisions/{revision}/strength': ['author'],
  'GET /suites/{suite}/revisions/{revision}/strength/{measurement}': ['author'],
  'POST /suites/{suite}/revisions/{revision}/reviews': ['author'],
  'GET /suites/{suite}/revisions/{revision}/reviews': ['author'],
  'GET /suites/{suite}/revisions/{revision}/compare': ['author'],
  'POST /suites/{suite}/revisions/{revision}/restore': ['author'],
  'POST /suites/{suite}/retirements': ['author'],
  'POST /suites/{suite}/publications': ['author'],
  'GET /suites/{suite}/cases': ['author'],
  'POST /suites/{suite}/cases': ['author'],
  'POST /suites/{suite}/cases/check': ['author'],
  'POST /suites/{suite}/cases/dry-run': ['author'],
  'GET /suites': ['author', 'lead'],
  'GET /suites/{suite}': ['author', 'lead'],
  'GET /suites/{suite}/revisions/{revision}': ['author', 'lead'],
  'POST /incidents': ['author'],
  'GET /incidents': ['author', 'lead'],
  'GET /incidents/{id}': ['author', 'lead'],
  'POST /incidents/{id}/case': ['author'],
  'POST /incidents/{id}/proof': ['author'],
  'GET /gates/{gate}/escapes': ['author', 'lead'],
  'GET /trends': ['author', 'lead'],
  'GET /trends/cases': ['author', 'lead'],
  'POST /leaks': ['author', 'lead'],
  'POST /candidates': ['ci', 'author'],
  'POST /score': ['ci', 'author'],
  'GET /scores/{id}': ['ci', 'harness', 'author', 'lead'],
  'GET /scores/{id}/events': ['author', 'lead'],
  'GET /verdict': ['ci', 'harness', 'author', 'lead'],
  'GET /changes': ['author', 'lead'],
  'GET /changes/{change}': ['author', 'lead'],
  'GET /scores/{id}/cases': ['author', 'lead'],
  'GET /alarms': ['author', 'lead'],
  'POST /scores/{id}/replay': ['author'],
  'POST /scores/{id}/override': ['lead'],
  'GET /recipient': 'anybody',
  'GET /identity': [],
  'POST /identity/rotate': [],
  'POST /backup': [],
  'POST /tokens': [],
  'GET /tokens': [],
  'GET /tokens/{id}': [],
  'DELETE /tokens/{id}': [],
  'GET /audit': ['lead'],
  'GET /audit/heads': ['lead'],
  'GET /audit/head': ['lead'],
  'GET /healthz': 'anybody',
  'GET /readyz': 'anybody',
  'GET /metrics': ['lead'],
};
const allRoles: Role[] = ['ci', 'harness', 'author', 'lead', 'admin'];

const document: unknown = parse(await readFile(new URL('../openapi.yaml', import.meta.url), 'utf8'));
const routes = Object.entries(Object(Reflect.get(Object(document), 'paths'))).flatMap(([path, methods]) =>
  Object.keys(Object(methods)).map((method) => ({ id: `${method.toUpperCase()} ${path}`, method, path })),
);
/** The routes whose body is raw bytes. */
const raw = ['POST /candidates', 'POST /leaks'];
const withBodies = routes.filter(({ method }) => method === 'post' || method === 'put');

let world: World;
const clients = new Map<Role, Client>();
/** All that ci was ever told in this file. */
let toldToCi = '';

beforeAll(async () => {
  // One score runs, one waits, and the next finds the queue full.
  world = await startWorld({ HOLDBACK_QUEUE: '1', HOLDBACK_CONCURRENCY: '1' });
  const cases = [
    { name: `${canary}-name`, input: `${canary}-input`, expect: { equals: `${canary}-output` } },
  ];
  await sealSuite(world, 'sealed', { cases });
  await sealSuite(world, 'slow', { cases, limits: { caseMs: 10_000 } });
  for (const role of allRoles) clients.set(role, await world.as(role));
});
afterAll(() => world.close());

/** Asks as a reader of a role, and remembers what ci was told. */
async function ask(role: Role, ...[method, path, body, headers]: Parameters<Client>): Promise<Reply> {
  const client = clients.get(role);
  if (client === undefined) throw new Error(`there is no client for ${role}`);
  const reply = await client(method, path, body, headers);
  if (role === 'ci') toldToCi += `${JSON.stringify([...reply.headers])}${reply.text}`;
  return reply;
}

/** Holds a reply against the one form of all errors, and gives what it says. */
function problemIn(reply: Reply, status: number, code: string): { detail: string; pointers: string[] } {
  expect(reply.headers.get('content-type'), reply.text).toContain('application/problem+json');
  expect(reply.json).toEqual({
    type: `urn:holdback:problem:${code}`,
    title: expect.stringMatching(/\w/),
    status,
    code,
    detail: expect.stringMatching(/\w/),
    ...(code === 'invalid_request' ? { errors: expect.any(Array) } : {}),
  });
  expect(reply.status).toBe(status);
  expect(reply.text).not.toMatch(/Invalid input|received undefined|node_modules|\.ts:/);
  const { title, detail } = Object(reply.json);
  // Who is told both does not want to read it twice.
  expect(`${detail}`.toLowerCase()).not.toContain(`${title}`.toLowerCase());
  const errors: unknown = Reflect.get(Object(reply.json), 'errors');
  const pointers = Array.isArray(errors)
    ? errors.map((error) => `${Reflect.get(Object(error), 'pointer')}`)
    : [];
  return { detail: `${detail}`, pointers };
}

function fill(path: string): string {
  return path
    .replace('{gate}', 'sealed')
    .replace('{suite}', 'sealed')
    .replace('{revision}', '1')
    .replace('{change}', 'c?gate=sealed')
    .replace('{measurement}', randomUUID())
    .replace('{id}', randomUUID());
}

describe('who may ask', () => {
  test('the table of roles has a row for every route', () => {
    expect(Object.keys(rolesOf).sort()).toEqual(routes.map(({ id }) => id).sort());
  });

  test.each(routes)('$id is for its roles alone', async ({ id, method, path }) => {
    const roles = rolesOf[id];
    for (const role of allRoles) {
      const reply = await ask(role, method.toUpperCase(), fill(path));
      if (roles === 'anybody' || role === 'admin' || roles?.includes(role)) {
        expect([401, 403], `${role}: ${reply.text}`).not.toContain(reply.status);
      } else {
        const { detail } = problemIn(reply, 403, 'role_forbidden');
        expect(detail).toContain(`not for ${role}`);
      }
    }
  });

  const secured = routes.filter(({ id }) => rolesOf[id] !== 'anybody');
  test.each(secured)(
    '$id asks who is there: no token, another scheme, an unknown token',
    async ({ method, path }) => {
      const anybody = world.client(undefined);
      const asked = (headers?: Record<string, string>) =>
        anybody(method.toUpperCase(), fill(path), undefined, headers);
      const replies = [
        problemIn(await asked(), 401, 'token_missing'),
        problemIn(await asked({ authorization: 'Basic aGI6aGI=' }), 401, 'token_missing'),
        problemIn(await asked({ authorization: 'Bearer' }), 401, 'token_missing'),
        problemIn(await asked({ authorization: 'Bearer hb_nobody' }), 401, 'token_unknown'),
      ];
      expect(replies[0]?.detail).toContain('Authorization: Bearer');
      expect((await asked()).headers.get('www-authenticate')).toBe('Bearer realm="holdback"');
    },
  );

  test('a token that was revoked is of no use at once, and can still be read about', async () => {
    const made = await ask('admin', 'POST', '/tokens', { role: 'lead', name: 'soon gone' });
    const { token, id } = Object(made.json);
    const lead = world.client(`${token}`);
    expect((await lead('GET', '/gates')).status).toBe(200);
    expect((await ask('admin', 'DELETE', `/tokens/${id}`)).status).toBe(204);
    problemIn(await lead('GET', '/gates'), 401, 'token_revoked');
    expect(await ask('admin', 'GET', `/tokens/${id}`)).toMatchObject({ status: 200 });
  });

  test('a token that is limited to other gates sees nothing of this one', async () => {
    const scored = await ask('ci', 'POST', '/score', scoreRequest('sealed', right));
    const { id } = Object(scored.json);
    const ciElsewhere = await world.as('ci', ['elsewhere']);
    const leadElsewhere = await world.as('lead', ['elsewhere']);
    const adminElsewhere = await world.as('admin', ['elsewhere']);
    const question = new URLSearchParams({
      gate: 'sealed',
      change: 'c',
      commit: 'd',
      candidate: unknownDigest,
    });
    for (const reply of [
      await ciElsewhere('POST', '/score', scoreRequest('sealed', right)),
      await ciElsewhere('GET', `/scores/${id}`),
      await ciElsewhere('GET', `/verdict?${question}`),
      await leadElsewhere('GET', '/gates/sealed'),
      await adminElsewhere('PUT', '/gates/sealed', { suites: ['sealed'] }),
      await leadElsewhere('GET', '/changes/change-1?gate=sealed'),
    ]) {
      problemIn(reply, 403, 'gate_forbidden');
    }
    expect((await leadElsewhere('GET', '/gates')).json).toEqual({ gates: [] });
  });
});

describe('bodies', () => {
  const kinds = [
    undefined,
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'not a type',
  ];

  test.each(withBodies)(
    '$id refuses a body of a wrong content type, or of none',
    async ({ id, method, path }) => {
      const address = `${world.service.address}${fill(path)}`;
      const { token } = Object((await ask('admin', 'POST', '/tokens', { role: 'admin', name: 'raw' })).json);
      const wrong = [...kinds, raw.includes(id) ? 'application/json' : 'application/octet-stream'];
      for (const kind of wrong.filter((each) => id !== 'POST /leaks' || each !== 'text/plain')) {
        const response = await fetch(address, {
          method: method.toUpperCase(),
          headers: {
            authorization: `Bearer ${token}`,
            ...(kind === undefined ? {} : { 'content-type': kind }),
          },
          body: Buffer.from('{"a":1}'),
        });
        expect(response.status, `${kind}`).toBe(415);
        const problem: unknown = await response.json();
        expect(problem).toMatchObject({
          code: 'content_type_wrong',
          detail: expect.stringContaining('application/'),
        });
      }
    },
  );

  const needBodies = withBodies.filter(
    ({ id }) => !/\/(?:activate|backup|preflight|replay|restore|rotate)$/.test(id),
  );
  test.each(needBodies)('$id says that the body is missing', async ({ id, method, path }) => {
    const kind = raw.includes(id) ? 'application/octet-stream' : 'application/json';
    for (const headers of [undefined, { 'content-type': kind }]) {
      const reply = await ask('admin', method.toUpperCase(), fill(path), undefined, headers);
      const { pointers, detail } = problemIn(reply, 400, 'invalid_request');
      expect(pointers).toEqual(['body']);
      expect(detail).toMatch(/is missing|is empty/);
    }
  });

  const json = needBodies.filter(({ id }) => !raw.includes(id));
  test.each(json)('$id refuses what is not JSON, saying where', async ({ method, path }) => {
    for (const text of ['{', '{"a":1,}', 'gate=sealed', '"', '{"a":"\u0001"}', '[1] [2]', '\u0000']) {
      problemIn(await ask('admin', method.toUpperCase(), fill(path), text), 400, 'malformed_json');
    }
    const cut = await ask('admin', method.toUpperCase(), fill(path), '{"gate":');
    expect(problemIn(cut, 400, 'malformed_json').detail).toMatch(/JSON/);
    const latin1 = await ask(
      'admin',
      method.toUpperCase(),
      fill(path),
      Buffer.from('{"a":"caf\u00e9"}', 'latin1'),
    );
    expect(problemIn(latin1, 400, 'malformed_json').detail).toContain('UTF-8');
  });

  test.each(json)('$id names the field that it does not know', async ({ method, path }) => {
    for (const key of ['surprise', '__proto__', 'constructor', 'hasOwnProperty', '']) {
      const reply = await ask('admin', method.toUpperCase(), fill(path), `{${JSON.stringify(key)}:{}}`);
      expect(problemIn(reply, 400, 'invalid_request').pointers).toContain(`body/${key}`);
    }
    const reply = await ask('admin', method.toUpperCase(), fill(path), { 'a/b~c': 1 });
    expect(problemIn(reply, 400, 'invalid_request').pointers).toContain('body/a~1b~0c');
  });

  test.each(json)('$id wants an object', async ({ method, path }) => {
    for (const text of ['[]', '"text"', '5', 'true']) {
      const reply = await ask('admin', method.toUpperCase(), fill(path), text);
      expect(problemIn(reply, 400, 'invalid_request').detail).toBe('body: must be an object');
    }
  });

  test.each([
    ['PUT', '/gates/sealed', {}, 'body/suites: is missing'],
    ['PUT', '/gates/sealed', { suites: 'sealed' }, 'body/suites: must be an array'],
    ['PUT', '/gates/sealed', { suites: [] }, 'body/suites: must have at least 1 element'],
    ['PUT', '/gates/sealed', { suites: ['sealed', 'sealed'] }, 'body/suites: a suite is named twice'],
    ['PUT', '/gates/sealed', { suites: [5] }, 'body/suites/0: must be a string'],
    [
      'PUT',
      '/gates/sealed',
      { suites: ['s'], attemptsPerChange: 0 },
      'body/attemptsPerChange: must be at least 1',
    ],
    ['PUT', '/gates/sealed', { suites: ['s'], attemptsPerChange: 1.5 }, 'must be a whole number'],
    ['PUT', '/gates/sealed', { suites: ['s'], disclosure: 'all' }, 'body/disclosure: must be "verdict"'],
    ['POST', '/score', { change: {}, candidate: {} }, 'body/gate: is missing'],
    ['POST', '/score', { gate: 'sealed', change: { id: 'a' } }, 'body/change/commit: is missing'],
    ['POST', '/score', { ...scoreRequest('sealed', ''), gate: '../x' }, 'body/gate: a name has'],
    ['POST', '/score', scoreRequest('sealed', ''), 'body/candidate/source: must have at least 1 character'],
    [
      'POST',
      '/score',
      { gate: 'g', change: { id: 'a', commit: 'b' }, candidate: {} },
      'a candidate is {source',
    ],
    [
      'POST',
      '/score',
      { gate: 'g', change: { id: 'a', commit: 'b' }, candidate: { digest: 'x' } },
      'a digest is sha256:',
    ],
    ['POST', '/tokens', { role: 'king', name: 'x' }, 'body/role: must be "ci" or "harness"'],
    ['POST', '/tokens', { role: 'ci', name: '' }, 'body/name: must have at least 1 character'],
    ['POST', '/tokens', { role: 'ci', name: 'a\u0000b' }, 'body/name: must be well-formed'],
  ])('%s %s with %j is told: %4$s', async (method, path, body, told) => {
    expect(problemIn(await ask('admin', method, path, body), 400, 'invalid_request').detail).toContain(told);
  });

  const fields = ['id', 'commit', 'repository', 'author', 'agent', 'model'];
  test.each(fields)('a change whose %s no database can keep is refused', async (field) => {
    for (const text of [
      'a\u0000b',
      '\ud800',
      'a\udc00b',
      '',
      'x'.repeat(301),
      '\ud83d\ude00'.repeat(5_000),
    ]) {
      const change = { id: 'a', commit: 'b', [field]: text };
      const reply = await ask('ci', 'POST', '/score', {
        gate: 'sealed',
        change,
        candidate: { source: right },
      });
      const { pointers } = problemIn(reply, 400, 'invalid_request');
      expect(pointers).toEqual([`body/change/${field}`]);
      expect(reply.text.length).toBeLessThan(1_000);
    }
  });

  test('a source that is no text is refused', async () => {
    const reply = await ask(
      'ci',
      'POST',
      '/score',
      scoreRequest('sealed', 'export const run = () => "\ud800"'),
    );
    expect(problemIn(reply, 400, 'invalid_request').pointers).toEqual(['body/candidate/source']);
  });

  test('a problem stays short, however much is wrong and however long its names are', async () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`field${index}`, index]));
    for (const body of [
      many,
      { ['x'.repeat(500_000)]: 1 },
      { cases: Array.from({ length: 5_000 }, () => 5) },
    ]) {
      const reply = await ask('author', 'POST', '/suites/sealed/revisions', body);
      problemIn(reply, 400, 'invalid_request');
      expect(reply.text.length).toBeLessThan(5_000);
    }
  });

  test('a body that is too large is refused, saying how large it may be', async () => {
    const source = await ask('ci', 'POST', '/score', scoreRequest('sealed', 'x'.repeat(16 * mib + 1)));
    expect(problemIn(source, 413, 'body_too_large').detail).toContain(`${16 * mib}`);
    const body = await ask('ci', 'POST', '/score', Buffer.alloc(40 * mib, 'x'));
    expect(problemIn(body, 413, 'body_too_large').detail).toMatch(/at most \d+ bytes/);
    const octets = { 'content-type': 'application/octet-stream' };
    const candidate = await ask('ci', 'POST', '/candidates', Buffer.alloc(16 * mib + 1, 'x'), octets);
    expect(problemIn(candidate, 413, 'body_too_large').detail).toContain(`${16 * mib}`);
    const suite = await ask('author', 'POST', '/suites/sealed/revisions', Buffer.alloc(64 * mib + 1, 'x'));
    expect(problemIn(suite, 413, 'body_too_large').detail).toContain(`${64 * mib}`);
    problemIn(await ask('admin', 'PUT', '/gates/sealed', Buffer.alloc(mib + 1, 'x')), 413, 'body_too_large');
    problemIn(await ask('admin', 'POST', '/tokens', Buffer.alloc(mib + 1, 'x')), 413, 'body_too_large');
  });

  test('a candidate of the largest size is taken', async () => {
    const octets = { 'content-type': 'application/octet-stream' };
    const bytes = Buffer.alloc(16 * mib, ' ');
    expect((await ask('ci', 'POST', '/candidates', bytes, octets)).json).toMatchObject({
      bytes: bytes.length,
    });
  });
});

describe('addresses', () => {
  test.each([
    ['GET', '/gates/nowhere', 'gate_not_found'],
    ['GET', '/changes/c?gate=nowhere', 'gate_not_found'],
    ['GET', `/verdict?gate=nowhere&change=c&commit=d&candidate=${unknownDigest}`, 'gate_not_found'],
    ['GET', '/suites/nothing', 'suite_not_found'],
    ['GET', '/suites/nothing/revisions/1', 'revision_not_found'],
    ['GET', '/suites/sealed/revisions/7', 'revision_not_found'],
    ['POST', '/suites/sealed/revisions/7/activate', 'revision_not_found'],
    ['GET', `/scores/${randomUUID()}`, 'score_not_found'],
    ['GET', `/tokens/${randomUUID()}`, 'token_not_found'],
    ['DELETE', `/tokens/${randomUUID()}`, 'token_not_found'],
    ['GET', '/constructor', 'route_not_found'],
    ['GET', '/gates/', 'invalid_request'],
    ['PUT', '/__proto__', 'route_not_found'],
  ])('%s %s is answered with %s', async (method, path, code) => {
    problemIn(await ask('admin', method, path), code === 'invalid_request' ? 400 : 404, code);
  });

  test.each([
    ['GET', '/score', 'POST'],
    ['OPTIONS', '/score?a=b', 'POST'],
    ['PATCH', '/gates/sealed', 'GET, HEAD, PUT'],
    ['POST', '/tokens/none', 'DELETE, GET, HEAD'],
    ['DELETE', '/ui/gates', 'GET, HEAD, POST'],
  ])('%s %s is answered with the methods that there are', async (method, path, allowed) => {
    const answer = await ask('admin', method, path);
    expect(problemIn(answer, 405, 'method_not_allowed').detail).toContain(`takes ${allowed}, not ${method}`);
    expect(answer.headers.get('allow')).toBe(allowed);
  });

  test('what a request names must exist', async () => {
    const gate = await ask('ci', 'POST', '/score', scoreRequest('nowhere', right));
    problemIn(gate, 404, 'gate_not_found');
    const candidate = { digest: unknownDigest };
    const request = { gate: 'sealed', change: { id: 'a', commit: 'b' }, candidate };
    const { detail } = problemIn(await ask('ci', 'POST', '/score', request), 404, 'candidate_not_found');
    expect(detail).toContain('POST it to /candidates');
    const suites = await ask('admin', 'PUT', '/gates/new', { suites: ['sealed', 'misspelt'] });
    expect(problemIn(suites, 404, 'suite_not_found').detail).toContain('misspelt');
    problemIn(await ask('admin', 'GET', '/gates/new'), 404, 'gate_not_found');
  });

  test.each([
    ['/scores/1', 'path/id'],
    ['/scores/00000000-0000-0000-0000-00000000000g', 'path/id'],
    ['/tokens/%00', 'path/id'],
    ['/gates/%00', 'path/gate'],
    ['/gates/..%2f..%2fetc', 'path/gate'],
    [`/gates/${'g'.repeat(101)}`, 'path/gate'],
    ['/suites/sealed/revisions/0', 'path/revision'],
    ['/suites/sealed/revisions/one', 'path/revision'],
    ['/suites/sealed/revisions/1.5', 'path/revision'],
    ['/suites/sealed/revisions/99999999999', 'path/revision'],
    ['/changes/%00?gate=sealed', 'path/change'],
    ['/changes/c', 'query/gate'],
    ['/changes/c?gate=sealed&limit=0', 'query/limit'],
    ['/changes/c?gate=sealed&limit=201', 'query/limit'],
    ['/changes/c?gate=sealed&cursor=x', 'query/cursor'],
    ['/changes/c?gate=sealed&cursor=-1', 'query/cursor'],
    ['/changes/c?gate=sealed&cursor=1e300', 'query/cursor'],
    ['/changes/c?gate=sealed&page=2', 'query/page'],
    ['/changes/c?gate=sealed&__proto__=2', 'query/__proto__'],
    ['/changes/c?gate=sealed&gate=slow', 'query/gate'],
    ['/changes/c?gate=sealed&limit=1&limit=2', 'query/limit'],
    ['/verdict?gate=sealed&change=c&commit=d', 'query/candidate'],
    [`/verdict?gate=sealed&change=%00&commit=d&candidate=${unknownDigest}`, 'query/change'],
    [`/verdict?gate=sealed&change=c&commit=${'d'.repeat(5_000)}&candidate=${unknownDigest}`, 'query/commit'],
    ['/gates?limit=5', 'query/limit'],
    ['/healthz?verbose', 'query/verbose'],
  ])('GET %s is told of %s', async (path, pointer) => {
    expect(problemIn(await ask('admin', 'GET', path), 400, 'invalid_request').pointers).toContain(pointer);
  });

  test('a query is refused where a route takes none, and where it says neither yes nor no', async () => {
    const cases = [{ name: 'a', expect: { equals: 1 } }];
    for (const [path, pointer] of [
      ['/suites/other/revisions?activate=yes', 'query/activate'],
      ['/suites/other/revisions?activate=true&activate=false', 'query/activate'],
      ['/suites/other/revisions?aktivate=true', 'query/aktivate'],
    ]) {
      const reply = await ask('author', 'POST', `${path}`, { cases });
      expect(problemIn(reply, 400, 'invalid_request').pointers).toEqual([pointer]);
    }
    problemIn(await ask('author', 'GET', '/suites/other'), 404, 'suite_not_found');
  });

  test('an address that is not percent-encoded UTF-8, or too long, is a problem too', async () => {
    for (const path of ['/gates/%zz', '/gates/%ff', '/changes/%ED%A0%80?gate=sealed']) {
      problemIn(await ask('admin', 'GET', path), 400, 'malformed_request');
    }
    const long = await ask('admin', 'GET', `/gates/${'g'.repeat(3_000)}`);
    expect(long.json).toMatchObject({ code: 'invalid_request', status: 400 });
    const longer = await ask('admin', 'GET', `/gates/${'g'.repeat(100_000)}`);
    problemIn(longer, 431, 'headers_too_large');
  });

  test('the longest names of changes are found again', async () => {
    const id = '\u8a9e'.repeat(300);
    const change = { id, commit: '\u8a9e'.repeat(200) };
    await ask('ci', 'POST', '/score', { gate: 'sealed', change, candidate: { source: right } });
    const history = await ask('lead', 'GET', `/changes/${encodeURIComponent(id)}?gate=sealed`);
    expect(history.json).toMatchObject({ change: id, scores: [{ change }] });
  });

  test('HEAD is answered as GET is, without a body', async () => {
    expect(await ask('lead', 'HEAD', '/gates')).toMatchObject({ status: 200, text: '' });
    expect(await ask('lead', 'HEAD', '/gates/nowhere')).toMatchObject({ status: 404, text: '' });
    expect(await ask('ci', 'HEAD', '/gates')).toMatchObject({ status: 403, text: '' });
    expect(await world.client(undefined)('HEAD', '/gates')).toMatchObject({ status: 401, text: '' });
  });
});

describe('headers', () => {
  test('an Idempotency-Key is for one request', async () => {
    const key = { 'idempotency-key': 'one' };
    const first = await ask('ci', 'POST', '/score', scoreRequest('sealed', right), key);
    expect(first.status).toBe(200);
    for (const other of [
      scoreRequest('sealed', `${right} `),
      scoreRequest('sealed', right, 'another change'),
      scoreRequest('sealed', right, 'change-1', 'another commit'),
      scoreRequest('slow', right),
    ]) {
      const reply = await ask('ci', 'POST', '/score', other, key);
      expect(problemIn(reply, 422, 'idempotency_conflict').detail).toContain('use a new key');
    }
  });

  test('an Idempotency-Key or Prefer that is empty or too long is refused', async () => {
    for (const [name, value] of [
      ['idempotency-key', ''],
      ['idempotency-key', 'k'.repeat(201)],
      ['prefer', 'p'.repeat(201)],
    ] as const) {
      const reply = await ask('ci', 'POST', '/score', scoreRequest('sealed', right), { [name]: value });
      expect(problemIn(reply, 400, 'invalid_request').pointers).toEqual([`headers/${name}`]);
    }
  });

  test('an Idempotency-Key cannot carry another header, nor a second request', async () => {
    const key = `k\r\nAuthorization: Bearer hb_other\r\nX-Injected: 1`;
    await expect(
      ask('ci', 'POST', '/score', scoreRequest('sealed', right), { 'idempotency-key': key }),
    ).rejects.toThrow();
    for (const bytes of ['k\u0000', 'k\u000bx', 'k\u007f', 'k\rGET /tokens HTTP/1.1']) {
      const answer = await talk(
        `POST /score HTTP/1.1\r\nHost: x\r\nIdempotency-Key: ${bytes}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 40[01] /);
      expect(answer).toContain('application/problem+json');
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    }
  });

  test('a key of any printable bytes is a key', async () => {
    const key = { 'idempotency-key': `"caf\u00e9' -- ; DROP TABLE scores; %s {}` };
    const replies = [
      await ask('ci', 'POST', '/score', scoreRequest('sealed', right), key),
      await ask('ci', 'POST', '/score', scoreRequest('sealed', right), key),
    ];
    expect(replies.map(({ status }) => status)).toEqual([200, 200]);
    expect(replies[0]?.text).toBe(replies[1]?.text);
  });

  test.each([
    ['no HTTP at all', 'hello\r\n\r\n', 400, 'malformed_request'],
    ['an unknown method', 'BREW /score HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'malformed_request'],
    [
      'two lengths',
      'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
      'malformed_request',
    ],
    [
      'a length and chunks',
      'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'malformed_request',
    ],
    [
      'headers too large',
      `GET /gates HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(50_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
  ])('%s is answered with a problem', async (_what, text, status, code) => {
    const answer = await talk(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const [, body = ''] = answer.split('\r\n\r\n');
    const problem: unknown = JSON.parse(body);
    expect(problem).toMatchObject({
      code,
      status,
      type: `urn:holdback:problem:${code}`,
      detail: expect.any(String),
    });
  });
});

test('a queue that is full says so, and when to come again', async () => {
  const async = { prefer: 'respond-async' };
  const first = await ask('ci', 'POST', '/score', scoreRequest('slow', looping, 'first'), async);
  const second = await ask('ci', 'POST', '/score', scoreRequest('slow', looping, 'second'), async);
  expect([first.status, second.status]).toEqual([202, 202]);
  const third = await ask('ci', 'POST', '/score', scoreRequest('slow', looping, 'third'), async);
  expect(problemIn(third, 429, 'queue_full').detail).toContain('again');
  expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0);
  const rush = Array.from({ length: 200 }, () =>
    ask('ci', 'POST', '/score', scoreRequest('slow', looping, 'third'), async),
  );
  for (const reply of await Promise.all(rush)) problemIn(reply, 429, 'queue_full');
  const history = await ask('lead', 'GET', '/changes/third?gate=slow');
  expect(history.json).toMatchObject({ scores: [] });
});

test('who sends more at once than is held is told to come again, and keeps nobody else out', async () => {
  const request = { role: 'ci', name: 'a sender' } as const;
  const { token } = await createToken(world.service.database.database, request, 'a test');
  const { hostname, port } = new URL(world.service.address);
  const head = `POST /score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 33600000\r\n\r\n`;
  const sockets = [1, 2, 3, 4].map(() => connect(Number(port), hostname));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (const socket of sockets) socket.on('error', () => {}).write(head);
  const upload = async (client: Client) =>
    client('POST', '/candidates', right, { 'content-type': 'text/javascript' });
  const sender = world.client(token);
  await expect.poll(async () => (await upload(sender)).json).toMatchObject({ code: 'rate_limited' });
  expect((await upload(await world.as('ci'))).status).toBe(201);
  for (const socket of sockets) socket.destroy();
  await expect.poll(async () => (await upload(sender)).status).toBe(201);
});

test('ci was never told anything of a suite', () => {
  expect(toldToCi).toContain('urn:holdback:problem:');
  expect(toldToCi).not.toContain('CANARY');
});

/** Speaks to the service byte by byte, as no HTTP client would. */
function talk(text: string): Promise<string> {
  const { hostname, port } = new URL(world.service.address);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(Buffer.from(text, 'latin1')));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.on('error', reject);
  });
}
