/** CI without a stored secret: tokens of a real issuer with its own keys, and everything that somebody else would try. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportSPKI, importJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadIssuers } from '../../server/issuers.ts';
import { Oidc } from '../../server/oidc.ts';
import { type Issuer, type Signing, startIssuer } from '../issuer.ts';
import { putClockForward } from '../put-clock-forward.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { type Reply, scoreRequest, sealSuite, startWorld, type World } from '../world.ts';

const right = 'export function run(x) { return x }';
const minuteMs = 60_000;
const ref = 'refs/heads/main';
const job = {
  aud: 'holdback',
  sub: `repo:acme/shop:ref:${ref}`,
  repository: 'acme/shop',
  repository_owner: 'acme',
  ref,
};

let github: Issuer;
let gitlab: Issuer;
let stranger: Issuer;
let world: World;

beforeAll(async () => {
  [github, gitlab, stranger] = await Promise.all([startIssuer(), startIssuer(), startIssuer()]);
  const issuers = [
    {
      issuer: github.url,
      audience: 'holdback',
      rules: [
        { claims: { repository: 'acme/shop', ref: [ref, 'refs/heads/next'] }, role: 'ci', gates: ['shop'] },
        { claims: { repository: 'acme/desk' }, role: 'harness', gates: ['shop', 'desk'] },
        { claims: { repository: 'acme/shop' }, role: 'ci', gates: ['desk'] },
      ],
    },
    {
      issuer: gitlab.url,
      audience: 'https://holdback.example',
      repositoryClaim: 'project_path',
      rules: [{ claims: { project_path: 'group/shop', ref_protected: 'true' }, role: 'ci', gates: ['shop'] }],
    },
  ];
  world = await startWorld({ HOLDBACK_OIDC: JSON.stringify(issuers) });
  const cases = [{ name: 'same', input: 1, expect: { equals: 1 } }];
  await sealSuite(world, 'shop', { cases });
  await sealSuite(world, 'desk', { cases });
});
afterAll(async () => {
  await Promise.all([github, gitlab, stranger].map((issuer) => issuer.stop()));
  await world.close();
});

// Keys are kept for minutes, so the clock is put forward, and never back.
afterAll(() => void vi.unstubAllGlobals());
const minutesLater = (minutes: number) => putClockForward(minutes * minuteMs);

/** Asks for a verdict, which needs a right to the gate and nothing else. */
function askVerdict(token: string, gate = 'shop'): Promise<Reply> {
  const candidate = `sha256:${'0'.repeat(64)}`;
  const question = new URLSearchParams({ gate, change: '1', commit: 'c0ffee', candidate });
  return world.client(token)('GET', `/verdict?${question}`);
}

const codeOf = ({ status, json }: Reply) => `${status} ${Reflect.get(Object(json), 'code')}`;
const detailOf = ({ json }: Reply) => `${Reflect.get(Object(json), 'detail')}`;

describe('a token of a configured issuer', () => {
  test('has a change of its repository scored, which need not be named', async () => {
    const ci = world.client(await github.sign(job));
    const scored = await ci('POST', '/score', scoreRequest('shop', right));
    expect(scored.json).toMatchObject({ verdict: 'merge', change: { repository: 'acme/shop' } });
    const named = {
      ...scoreRequest('shop', right),
      change: { id: 'change-1', commit: 'c0ffee', repository: 'acme/shop' },
    };
    expect(await ci('POST', '/score', named)).toMatchObject({ status: 200 });
  });

  test('is the same request to an Idempotency-Key, whether or not the repository is named', async () => {
    const ci = world.client(await github.sign(job));
    const key = { 'idempotency-key': 'once' };
    const first = await ci('POST', '/score', scoreRequest('shop', right), key);
    const change = { repository: 'acme/shop', id: 'change-1', commit: 'c0ffee' };
    const again = await ci('POST', '/score', { ...scoreRequest('shop', right), change }, key);
    expect(again.json).toEqual(first.json);
  });

  test('is answered about changes of its repository alone, which need not be named', async () => {
    const ci = world.client(await github.sign(job));
    const scored = await ci('POST', '/score', {
      ...scoreRequest('shop', right),
      change: { id: 'asked', commit: 'c0ffee' },
    });
    const { digest } = Object(scored.json).candidate;
    const ask = (more: string) => {
      const path = `/verdict?gate=shop&change=asked&commit=c0ffee&candidate=${digest}${more}`;
      return ci('GET', path);
    };
    expect((await ask('')).json).toMatchObject({ verdict: 'merge', repository: 'acme/shop' });
    expect(codeOf(await ask('&repository=acme/desk'))).toBe('403 repository_forbidden');
    const harness = await world.as('harness');
    const unnamed = `/verdict?gate=shop&change=asked&commit=c0ffee&candidate=${digest}`;
    expect((await harness('GET', unnamed)).json).toMatchObject({ verdict: 'block', reason: 'not_scored' });
  });

  test('has no change of another repository scored', async () => {
    const ci = world.client(await github.sign(job));
    const change = { id: '1', commit: 'c0ffee', repository: 'acme/desk' };
    const reply = await ci('POST', '/score', { ...scoreRequest('shop', right), change });
    expect(codeOf(reply)).toBe('403 repository_forbidden');
  });

  test('reads the scores of its repository alone', async () => {
    const ci = world.client(await github.sign(job));
    const score = async (repository?: string) => {
      const change = { id: 'read', commit: 'c0ffee', repository };
      const scored = await world.admin('POST', '/score', { ...scoreRequest('shop', right), change });
      return ci('GET', `/scores/${Object(scored.json).id}`);
    };
    expect((await score('acme/shop')).json).toMatchObject({ verdict: 'merge' });
    expect(codeOf(await score('acme/desk'))).toBe('403 repository_forbidden');
    expect(codeOf(await score())).toBe('403 repository_forbidden');
  });

  test('is limited to the gates and the role of the first rule that is for it', async () => {
    const main = await github.sign(job);
    expect((await askVerdict(main)).status).toBe(200);
    expect(codeOf(await askVerdict(main, 'desk'))).toBe('403 gate_forbidden');
    expect(codeOf(await world.client(main)('GET', '/suites'))).toBe('403 role_forbidden');
    const branch = await github.sign({ ...job, ref: 'refs/heads/feature' });
    expect(codeOf(await askVerdict(branch))).toBe('403 gate_forbidden');
    expect((await askVerdict(branch, 'desk')).status).toBe(200);
    const desk = world.client(await github.sign({ ...job, repository: 'acme/desk' }));
    expect(codeOf(await desk('POST', '/score', scoreRequest('desk', right)))).toBe('403 role_forbidden');
  });

  test('may be one of GitLab, which calls the repository project_path', async () => {
    const claims = {
      aud: 'https://holdback.example',
      sub: 'project_path:group/shop:ref_type:branch:ref:main',
      project_path: 'group/shop',
      ref: 'main',
      ref_protected: 'true',
    };
    const scored = await world.client(await gitlab.sign(claims))(
      'POST',
      '/score',
      scoreRequest('shop', right),
    );
    expect(scored.json).toMatchObject({ verdict: 'merge', change: { repository: 'group/shop' } });
    const unprotected = await gitlab.sign({ ...claims, ref_protected: 'false' });
    expect(codeOf(await askVerdict(unprotected))).toBe('403 claims_forbidden');
    // An issuer speaks for its own repositories alone.
    const elsewhere = await github.sign({ ...claims, iss: gitlab.url });
    expect(codeOf(await askVerdict(elsewhere))).toBe('401 token_invalid');
  });

  test('is known by issuer and subject, in a name of bounded length', async () => {
    const oidc = new Oidc(
      await loadIssuers({
        oidc: JSON.stringify([
          {
            issuer: github.url,
            audience: 'holdback',
            rules: [{ claims: { repository: 'acme/shop' }, role: 'ci', gates: ['shop'] }],
          },
        ]),
      }),
    );
    const name = async (sub: string) => (await oidc.findReader(await github.sign({ ...job, sub }))).tokenId;
    const { host } = new URL(github.url);
    expect(await oidc.findReader(await github.sign(job))).toEqual({
      tokenId: `oidc:${host}:${job.sub}`,
      person: `oidc:${host}:${job.sub}`,
      role: 'ci',
      gates: ['shop'],
      suites: null,
      repository: 'acme/shop',
    });
    const [one, other] = [await name(`${'x'.repeat(2_000)}1`), await name(`${'x'.repeat(2_000)}2`)];
    expect(one.length).toBeLessThanOrEqual(300);
    expect(one).not.toBe(other);
  });
});

describe('is refused', () => {
  const byClaims: [what: string, claims: JWTPayload, code: string, words: RegExp, signing?: Signing][] = [
    ['of another repository', { ...job, repository: 'evil/shop' }, '403 claims_forbidden', /no rule/],
    ['of a repository in other letters', { ...job, repository: 'Acme/Shop' }, '403 claims_forbidden', /no/],
    ['of two repositories', { ...job, repository: ['acme/shop'] }, '403 claims_forbidden', /no rule/],
    ['of no repository', { aud: 'holdback', sub: 'x', ref }, '403 claims_forbidden', /no rule/],
    ['for another audience', { ...job, aud: 'elsewhere' }, '401 token_invalid', /audience/],
    ['for no audience', { ...job, aud: undefined }, '401 token_invalid', /audience/],
    ['that has expired', job, '401 token_expired', /expired/, { issued: -600, expires: -60 }],
    [
      'that is older than any job',
      job,
      '401 token_expired',
      /expired/,
      { issued: -7 * 3_600, expires: 3_600 },
    ],
    ['that is not valid yet', { ...job, nbf: 9_999_999_999 }, '401 token_invalid', /not valid yet/],
    ['made in the future', job, '401 token_invalid', /not valid yet/, { issued: 600, expires: 900 }],
    ['that never expires', { ...job, exp: undefined }, '401 token_invalid', /exp/],
    ['that says not when it was made', { ...job, iat: undefined }, '401 token_invalid', /no time/],
    ['without a subject', { ...job, sub: undefined }, '401 token_invalid', /sub/],
    ['with a subject that nothing can store', { ...job, sub: 'a\0b' }, '401 token_invalid', /sub/],
    ['of an unknown issuer', { ...job, iss: 'https://evil.example' }, '401 token_invalid', /issuer/],
    ['of no issuer', { ...job, iss: undefined }, '401 token_invalid', /issuer/],
  ];
  test.each(byClaims)('a token %s', async (_, claims, code, words, signing) => {
    const reply = await askVerdict(await github.sign(claims, signing));
    expect(codeOf(reply)).toBe(code);
    expect(detailOf(reply)).toMatch(words);
    // Nothing of the rules is told.
    expect(reply.text).not.toMatch(/acme|refs\/heads|desk/);
  });

  test('a token without a signature (alg: none)', async () => {
    const now = Math.floor(Date.now() / 1_000);
    const unsigned = new UnsecuredJWT({ ...job, iss: github.url, iat: now, exp: now + 60 }).encode();
    expect(unsigned).toMatch(/\.$/);
    expect(codeOf(await askVerdict(unsigned))).toBe('401 token_invalid');
    const [, payload] = unsigned.split('.');
    for (const alg of ['None', 'NONE', '', null]) {
      const header = Buffer.from(JSON.stringify({ alg, kid: 'key-1' })).toString('base64url');
      expect(codeOf(await askVerdict(`${header}.${payload}.`))).toBe('401 token_invalid');
      expect(codeOf(await askVerdict(`${header}.${payload}.AAAA`))).toBe('401 token_invalid');
    }
  });

  test('a token that is signed with the text of the public key (HS256)', async () => {
    const [jwk = {}] = github.published;
    const key = await importJWK(jwk, 'RS256', { extractable: true });
    if (key instanceof Uint8Array) throw new Error('this is no public key');
    const now = Math.floor(Date.now() / 1_000);
    for (const secret of [await exportSPKI(key), JSON.stringify(jwk), `${jwk.n}`]) {
      const forged = await new SignJWT({ ...job, iss: github.url, iat: now, exp: now + 60 })
        .setProtectedHeader({ alg: 'HS256', kid: `${jwk.kid}` })
        .sign(new TextEncoder().encode(secret));
      const reply = await askVerdict(forged);
      expect(codeOf(reply)).toBe('401 token_invalid');
      expect(detailOf(reply)).toContain('algorithm');
    }
  });

  test("a token that is signed with a stranger's key, wherever its header says that the key is", async () => {
    const [jwk = {}] = stranger.published;
    const headers: Record<string, unknown>[] = [
      {},
      { jku: `${stranger.url}/keys` },
      { x5u: `${stranger.url}/keys` },
      { jwk: { kty: jwk.kty, n: jwk.n, e: jwk.e } },
    ];
    for (const header of headers) {
      const forged = await stranger.sign({ ...job, iss: github.url }, { header });
      const reply = await askVerdict(forged);
      expect(codeOf(reply)).toBe('401 token_invalid');
      expect(detailOf(reply)).toContain('signature');
    }
    for (const kid of [`${stranger.url}/keys`, '../keys', undefined]) {
      const forged = await stranger.sign({ ...job, iss: github.url }, { header: { kid } });
      expect(codeOf(await askVerdict(forged))).toBe('401 token_invalid');
    }
    expect(stranger.asked).toEqual({});
  });

  test('a token whose claims were changed, or which is no token at all', async () => {
    const [header, payload = '', signature] = (await github.sign({ ...job, ref: 'x' })).split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const changed = Buffer.from(JSON.stringify({ ...claims, ref })).toString('base64url');
    expect(codeOf(await askVerdict(`${header}.${changed}.${signature}`))).toBe('401 token_invalid');
    for (const text of ['a.b.c', 'a.b.', `${header}.e30.${signature}`, `e30.${payload}.${signature}`]) {
      expect(codeOf(await askVerdict(text)), text).toBe('401 token_invalid');
    }
  });

  test('a token of a length that no CI system makes', async () => {
    const long = await github.sign({ ...job, filler: 'x'.repeat(10_000) });
    expect(codeOf(await askVerdict(long))).toBe('401 token_invalid');
    const longer = await github.sign({ ...job, filler: 'x'.repeat(20_000) });
    expect(codeOf(await askVerdict(longer))).toBe('431 headers_too_large');
  });
});

describe('the keys of an issuer', () => {
  test('are fetched once, however many tokens come', async () => {
    minutesLater(120);
    const [before, token] = [{ ...github.asked }, await github.sign(job)];
    const replies = await Promise.all(Array.from({ length: 20 }, () => askVerdict(token)));
    expect(replies.map(({ status }) => status)).toEqual(Array(20).fill(200));
    const path = '/.well-known/openid-configuration';
    expect(github.asked[path]).toBe((before[path] ?? 0) + 1);
    expect(github.asked['/keys']).toBe((before['/keys'] ?? 0) + 1);
  });

  test('may be rotated: the new one is picked up, and the old one is refused', async () => {
    expect((await askVerdict(await github.sign(job))).status).toBe(200);
    const old = await github.sign(job, { expires: 3_600 });
    await github.rotate();
    minutesLater(1);
    expect((await askVerdict(await github.sign(job))).status).toBe(200);
    const reply = await askVerdict(old);
    expect(codeOf(reply)).toBe('401 token_invalid');
    expect(detailOf(reply)).toContain('does not publish');
  });

  test('that were taken back count no longer than ten minutes', async () => {
    const old = await github.sign(job, { expires: 3_600 });
    expect((await askVerdict(old)).status).toBe(200);
    github.published = [];
    minutesLater(11);
    expect(codeOf(await askVerdict(old))).toBe('401 token_invalid');
    await github.rotate();
    minutesLater(1);
  });

  test('are not asked for again and again by tokens that name keys which do not exist', async () => {
    expect((await askVerdict(await github.sign(job))).status).toBe(200);
    const before = github.asked['/keys'] ?? 0;
    for (const kid of ['a', 'b', 'c', 'd', 'e']) {
      expect(codeOf(await askVerdict(await github.sign(job, { header: { kid } })))).toBe('401 token_invalid');
    }
    expect((github.asked['/keys'] ?? 0) - before).toBeLessThanOrEqual(1);
  });

  test('cannot be had while the issuer is down: 503, and no verdict about the token', async () => {
    expect((await askVerdict(await github.sign(job))).status).toBe(200);
    await github.stop();
    // What was fetched before still counts.
    expect((await askVerdict(await github.sign(job))).status).toBe(200);
    minutesLater(11);
    const reply = await askVerdict(await github.sign(job));
    expect(codeOf(reply)).toBe('503 issuer_unavailable');
    expect(reply.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(reply.text).not.toContain(new URL(github.url).host);
    await github.start();
    minutesLater(1);
    expect((await askVerdict(await github.sign(job))).status).toBe(200);
  });

  const page = '/.well-known/openid-configuration';
  const answers: [what: string, path: string, answer: (url: string) => object | string, status?: number][] = [
    [
      'a page about another issuer',
      page,
      (url) => ({ issuer: 'https://a.example', jwks_uri: `${url}/keys` }),
    ],
    [
      'keys at an address that is not https',
      page,
      (url) => ({ issuer: url, jwks_uri: 'http://a.example/keys' }),
    ],
    ['keys in a file', page, (url) => ({ issuer: url, jwks_uri: 'file:///etc/passwd' })],
    ['no keys', page, (url) => ({ issuer: url })],
    ['something else than JSON', page, () => '<html>'],
    ['a failure', page, () => ({}), 500],
    ['a way to elsewhere', page, () => ({}), 302],
    ['too much', page, () => JSON.stringify({ filler: 'x'.repeat(2 << 20) })],
    ['no set of keys', '/keys', () => ({ keys: 'none' })],
    ['a secret instead of keys', '/keys', () => 'secret'],
  ];
  test.each(answers)(
    'cannot be had from an issuer that answers %s',
    async (_, path, answer, status = 200) => {
      const issuer = await startIssuer();
      const oidc = new Oidc(
        await loadIssuers({
          oidc: JSON.stringify([
            {
              issuer: issuer.url,
              audience: 'holdback',
              rules: [{ claims: { repository: 'acme/shop' }, role: 'ci', gates: ['shop'] }],
            },
          ]),
        }),
      );
      const given = answer(issuer.url);
      const headers: Record<string, string> = status === 302 ? { location: `${stranger.url}/keys` } : {};
      const body = typeof given === 'string' ? given : JSON.stringify(given);
      issuer.answers.set(path, { status, headers, body });
      const token = await issuer.sign(job);
      await expect(oidc.findReader(token)).rejects.toMatchObject({ code: 'issuer_unavailable' });
      issuer.answers.clear();
      minutesLater(1);
      await expect(oidc.findReader(token)).resolves.toMatchObject({ role: 'ci' });
      await issuer.stop();
    },
  );
});

describe('the setting', () => {
  const rule = { claims: { repository: 'acme/shop' }, role: 'ci', gates: ['shop'] };
  const issuer = { issuer: 'https://ci.example', audience: 'holdback', rules: [rule] };

  test('may be in a file', async () => {
    const path = join(await temporaryFolder(), 'oidc.json');
    await writeFile(path, JSON.stringify([issuer]));
    expect(await loadIssuers({ oidcFile: path })).toEqual([{ ...issuer, repositoryClaim: 'repository' }]);
    await expect(loadIssuers({ oidcFile: `${path}x` })).rejects.toThrow('could not be read');
    await expect(loadIssuers({ oidcFile: path, oidc: '[]' })).rejects.toThrow('both set');
    expect(await loadIssuers({})).toEqual([]);
  });

  test('is in README as it is accepted', async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    const [, example] = /```json\n(\[[^`]*"issuer"[^`]*)```/.exec(readme) ?? [];
    const issuers = await loadIssuers({ oidc: example });
    expect(issuers.map(({ repositoryClaim }) => repositoryClaim)).toEqual(['repository', 'project_path']);
  });

  const wrong: [what: string, setting: unknown, words: RegExp][] = [
    ['an issuer over plain http', [{ ...issuer, issuer: 'http://ci.example' }], /0\.issuer: .*https:/],
    ['an issuer that is no address', [{ ...issuer, issuer: 'ci.example' }], /0\.issuer: .*https:/],
    ['an issuer with a password', [{ ...issuer, issuer: 'https://a:b@ci.example' }], /0\.issuer/],
    ['an issuer whose host only looks like ours', [{ ...issuer, issuer: 'http://127.0.0.1.a.b' }], /issuer/],
    ['an issuer twice', [issuer, issuer], /twice/],
    ['no audience', [{ ...issuer, audience: undefined }], /0\.audience: is missing/],
    ['a rule for everybody', [{ ...issuer, rules: [{ ...rule, claims: {} }] }], /claims: .*at least one/],
    [
      'a rule with a pattern',
      [{ ...issuer, rules: [{ ...rule, claims: { ref: 'refs/*' } }] }],
      /claims\.ref: .*\*/,
    ],
    ['a rule that makes admins', [{ ...issuer, rules: [{ ...rule, role: 'admin' }] }], /role: must be "ci"/],
    ['a rule for no gate', [{ ...issuer, rules: [{ ...rule, gates: [] }] }], /gates: .*at least 1/],
    ['a misspelt field', [{ ...issuer, rule: [] }], /0\.rule: is not a known field/],
    ['one issuer without a list', issuer, /an array/],
  ];
  test.each(wrong)('says what is wrong with %s', async (_, setting, words) => {
    await expect(loadIssuers({ oidc: JSON.stringify(setting) })).rejects.toThrow(words);
  });

  test('that is not JSON is told so, and not repeated', async () => {
    await expect(loadIssuers({ oidc: '{secret' })).rejects.toThrow(/^HOLDBACK_OIDC is not JSON$/);
  });
});
