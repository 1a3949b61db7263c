/** Who may ask, how often, and until when: tokens that expire and are revoked, limits to gates and suites, and bounds on requests. */
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { openDatabase } from '../migrations/open-database.ts';
import { audit, tokens } from '../migrations/tables.ts';
import { readConfig } from '../server/config.ts';
import { tokenSchema } from '../server/token.ts';
import { isMistyped, makeToken } from '../server/token-text.ts';
import {
  createToken,
  ensureAdminToken,
  findReader,
  listTokens,
  noteUse,
  revokeToken,
} from '../server/tokens.ts';
import { startPostgres } from './postgres-server.ts';
import { copyTemplate } from './template-database.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { adminToken, openWorld, type Reply, sealSuite, startWorld, type World } from './world.ts';

const minuteMs = 60_000;
const madeSchema = tokenSchema.extend({ token: z.string() });
const listSchema = z.object({ tokens: z.array(tokenSchema) });

let world: World;

beforeAll(async () => {
  world = await startWorld();
  for (const name of ['mine', 'theirs']) {
    await sealSuite(world, name, { cases: [{ name, input: 1, expect: { equals: 1 } }] });
  }
  // Tokens end and windows pass when the clock is put forward, which it never is back. Timers are real.
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterAll(async () => {
  vi.useRealTimers();
  await world.close();
});
const minutesLater = (minutes: number) => vi.setSystemTime(Date.now() + minutes * minuteMs);

const codeOf = ({ status, json }: Reply) => `${status} ${Reflect.get(Object(json), 'code')}`;
const detailOf = ({ json }: Reply) => `${Reflect.get(Object(json), 'detail')}`;

/** Makes a token over HTTP. */
async function make(request: object): Promise<z.infer<typeof madeSchema>> {
  const reply = await world.admin('POST', '/tokens', { name: 'a test', ...request });
  expect(reply.status, reply.text).toBe(201);
  return madeSchema.parse(reply.json);
}

async function listed(id: string) {
  return listSchema.parse((await world.admin('GET', '/tokens')).json).tokens.find((token) => token.id === id);
}

/** What the audit holds of one kind, oldest first. */
async function audited(
  action: string,
  of = world,
): Promise<{ by: string; about: Record<string, unknown> }[]> {
  const rows = await of.service.database.database.select().from(audit).orderBy(audit.sequence);
  const schema = z.object({ by: z.string(), action: z.string(), about: z.record(z.string(), z.unknown()) });
  return rows
    .map(({ entry }) => schema.parse(JSON.parse(entry)))
    .filter((record) => record.action === action)
    .map(({ by, about }) => ({ by, about }));
}

describe('a token', () => {
  test('is hb_, 32 random characters and a checksum, which one wrong character breaks', () => {
    const token = makeToken();
    expect(token).toMatch(/^hb_[0-9A-Za-z]{38}$/);
    expect(isMistyped(token)).toBe(false);
    for (let at = 3; at < token.length; at++) {
      const wrong = `${token.slice(0, at)}${token[at] === 'x' ? 'y' : 'x'}${token.slice(at + 1)}`;
      expect(isMistyped(wrong), wrong).toBe(true);
    }
    expect(makeToken()).not.toBe(token);
  });

  test('is shown once, and stored and audited as nothing that leads to it', async () => {
    const made = await make({ role: 'ci', name: 'CI of the shop', owner: 'the shop', gates: ['mine'] });
    const { token, ...rest } = made;
    expect(await listed(made.id)).toEqual(rest);
    expect((await world.admin('GET', `/tokens/${made.id}`)).json).toEqual(rest);
    const { database } = world.service.database;
    const sha256 = createHash('sha256').update(token).digest('hex');
    const rows = await database.select().from(tokens);
    expect(rows.find(({ id }) => id === made.id)?.sha256).toBe(sha256);
    expect(JSON.stringify(rows)).not.toContain(token.slice(3, 35));
    const [record] = (await audited('token.made')).filter(({ about }) => about.token === made.id);
    const admin = listSchema
      .parse((await world.admin('GET', '/tokens')).json)
      .tokens.find(({ name }) => name === 'HOLDBACK_ADMIN_TOKEN');
    const { id, role, name, owner, gates, suites, expiresAt } = rest;
    expect(record).toEqual({
      by: admin?.id,
      about: { token: id, role, name, owner, gates, suites, expiresAt },
    });
    const all = JSON.stringify(await database.select().from(audit));
    expect(all).not.toContain(token.slice(3, 35));
    expect(all).not.toContain(sha256);
  });

  test('that was mistyped is refused without a look at the database', async () => {
    const { database } = world.service.database;
    // In a transaction that has failed every question fails.
    const ask = (token: string) =>
      database.transaction(async (transaction) => {
        await transaction.execute(sql`SELECT 1/0`).catch(() => {});
        await findReader(transaction, token);
      });
    await expect(ask(`hb_${'x'.repeat(38)}`)).rejects.toMatchObject({ code: 'token_unknown' });
    await expect(ask(makeToken())).rejects.not.toMatchObject({ code: 'token_unknown' });
    const reply = await world.client(`hb_${'x'.repeat(38)}`)('GET', '/gates');
    expect(codeOf(reply)).toBe('401 token_unknown');
    expect(detailOf(reply)).toContain('mistyped');
  });

  test('ends when it expires', async () => {
    const expiresAt = new Date(Date.now() + 10 * minuteMs).toISOString();
    const { token } = await make({ role: 'lead', expiresAt });
    const lead = world.client(token);
    expect((await lead('GET', '/gates')).status).toBe(200);
    minutesLater(10);
    expect(codeOf(await lead('GET', '/gates'))).toBe('401 token_expired');
  });

  test.each([
    ['2020-01-01T00:00:00Z', 'must be in the future'],
    ['tomorrow', 'must be a time such as'],
    ['2030-02-30T00:00:00Z', 'must be a time such as'],
    [4_102_444_800, 'must be a time such as'],
  ])('cannot end at %s', async (expiresAt, words) => {
    const reply = await world.admin('POST', '/tokens', { role: 'ci', name: 'x', expiresAt });
    expect(codeOf(reply)).toBe('400 invalid_request');
    expect(detailOf(reply)).toMatch(`body/expiresAt: ${words}`);
  });

  test('is of no use from the moment it is revoked, and stays in the list', async () => {
    const { token, id } = await make({ role: 'lead' });
    const lead = world.client(token);
    expect((await lead('GET', '/gates')).status).toBe(200);
    for (let time = 0; time < 2; time++) {
      expect((await world.admin('DELETE', `/tokens/${id}`)).status).toBe(204);
    }
    expect(codeOf(await lead('GET', '/gates'))).toBe('401 token_revoked');
    const [by] = (await audited('token.made')).filter(({ about }) => about.token === id);
    expect(await listed(id)).toMatchObject({ revokedAt: expect.any(String), revokedBy: by?.by });
    expect((await audited('token.revoked')).filter(({ about }) => about.token === id)).toHaveLength(1);
    expect(codeOf(await world.admin('DELETE', `/tokens/${randomUUID()}`))).toBe('404 token_not_found');
  });

  test('is noted as used, at most once a minute', async () => {
    const { token, id } = await make({ role: 'lead' });
    const lead = world.client(token);
    const used = async () => (await listed(id))?.lastUsedAt;
    expect(await used()).toBeNull();
    const first = new Date().toISOString();
    await lead('GET', '/gates');
    await vi.waitFor(async () => expect(await used()).toBe(first));
    minutesLater(0.5);
    await lead('GET', '/gates');
    expect(await used()).toBe(first);
    minutesLater(1);
    const second = new Date().toISOString();
    await lead('GET', '/gates');
    await vi.waitFor(async () => expect(await used()).toBe(second));
  });

  test('is of use also where its use cannot be noted', async () => {
    const { token } = await make({ role: 'lead' });
    const { database } = world.service.database;
    await database.execute(
      sql`CREATE TRIGGER broken BEFORE UPDATE ON tokens EXECUTE FUNCTION refuse_to_change_history()`,
    );
    try {
      for (let time = 0; time < 3; time++) {
        expect((await world.client(token)('GET', '/gates')).status).toBe(200);
      }
    } finally {
      await database.execute(sql`DROP TRIGGER broken ON tokens`);
    }
  });

  test('is its owner where people have to agree, or else itself', async () => {
    const [one, other, third] = [
      await make({ role: 'lead', owner: 'ada' }),
      await make({ role: 'author', owner: ' Ada' }),
      await make({ role: 'lead' }),
    ];
    const person = async ({ token }: { token: string }) =>
      (await findReader(world.service.database.database, token)).person;
    expect([await person(one), await person(other), await person(third)]).toEqual(['ada', 'ada', third.id]);
  });
});

describe('the last admin', () => {
  test('cannot be revoked, until there is another who can do as much', async () => {
    const own = await startWorld({ HOLDBACK_ADMIN_TOKEN: '' });
    try {
      const { database } = own.service.database;
      const first = `${own.service.newAdminToken}`;
      const { tokenId: id } = await findReader(database, first);
      expect(await audited('token.made', own)).toMatchObject([{ by: 'service', about: { token: id } }]);
      const admin = own.client(first);
      const revoke = () => admin('DELETE', `/tokens/${id}`);
      expect(codeOf(await revoke())).toBe('409 last_admin');
      const another = async (more: object) => {
        const made = await admin('POST', '/tokens', { role: 'admin', name: 'another', ...more });
        return madeSchema.parse(made.json);
      };
      await another({ gates: ['mine'] });
      await another({ expiresAt: new Date(Date.now() + minuteMs).toISOString() });
      const { id: gone } = await another({});
      await admin('DELETE', `/tokens/${gone}`);
      minutesLater(2);
      expect(codeOf(await revoke())).toBe('409 last_admin');
      expect((await admin('GET', '/tokens')).status).toBe(200);

      // HOLDBACK_ADMIN_TOKEN is one who can.
      expect(await ensureAdminToken(database, adminToken)).toBeUndefined();
      expect((await revoke()).status).toBe(204);
      expect(codeOf(await revoke())).toBe('401 token_revoked');
    } finally {
      await own.close();
    }
  });

  test('stays, where two revoke one another at once, also on PostgreSQL', async () => {
    const server = await startPostgres();
    const opened = await openDatabase({ dataDir: server.dataDir, databaseUrl: server.url });
    const { database } = opened;
    try {
      await ensureAdminToken(database, adminToken);
      const { tokenId } = await findReader(database, adminToken);
      const ids = [tokenId];
      for (const name of ['b', 'c', 'd', 'e']) {
        ids.push((await createToken(database, { role: 'admin', name }, 'a test')).id);
      }
      const ends = await Promise.allSettled(ids.map((id) => revokeToken(database, id, 'another')));
      expect(ends.filter(({ status }) => status === 'rejected')).toMatchObject([
        { reason: { code: 'last_admin' } },
      ]);
      const expiresAt = new Date(Date.now() + minuteMs).toISOString();
      const limits = { gates: ['mine', 'theirs'], suites: ['mine'], owner: 'ada', expiresAt };
      const made = await createToken(database, { role: 'author', name: 'QA', ...limits }, 'a test');
      await noteUse(database, made.id);
      const now = new Date().toISOString();
      expect((await listTokens(database)).find(({ id }) => id === made.id)).toMatchObject({
        ...limits,
        lastUsedAt: now,
      });
    } finally {
      await opened.close();
      await server.close();
    }
  });

  test('is made anew when the service starts and nobody can administer it any more', async () => {
    const { database } = world.service.database;
    const usual = await findReader(database, adminToken);
    // All of this is an attempt, which is taken back.
    const attempt = database.transaction(async (transaction) => {
      await transaction.execute(
        sql`UPDATE tokens SET revoked_at = now() WHERE role = 'admin' AND id <> ${usual.tokenId}`,
      );
      expect(await ensureAdminToken(transaction, undefined)).toBeUndefined();
      await transaction.execute(sql`UPDATE tokens SET revoked_at = now() WHERE role = 'admin'`);
      // A token that was revoked is not good again because a setting still names it.
      const made = `${await ensureAdminToken(transaction, adminToken)}`;
      await expect(findReader(transaction, adminToken)).rejects.toMatchObject({ code: 'token_revoked' });
      expect(await findReader(transaction, made)).toMatchObject({ role: 'admin', gates: null });
      transaction.rollback();
    });
    await expect(attempt).rejects.toThrow('Rollback');
    expect((await world.admin('GET', '/tokens')).status).toBe(200);
  });

  test('is not lost with a first start that fails: the next one shows it', async () => {
    const dataDir = await temporaryFolder();
    onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
    await copyTemplate(dataDir);
    const settings = { HOLDBACK_DATA_DIR: dataDir, HOLDBACK_ADMIN_TOKEN: '' };
    const taken = new URL(world.service.address).port;
    await expect(startWorld({ ...settings, HOLDBACK_PORT: taken })).rejects.toThrow(
      `something listens at port ${taken} of 127.0.0.1 already: stop that, or set HOLDBACK_PORT to another`,
    );
    const second = await openWorld(settings);
    const reply = await second.client(second.service.newAdminToken)('GET', '/tokens');
    expect(reply.status, reply.text).toBe(200);
  });
});

describe('a token that is limited to suites', () => {
  test('sees, writes and activates these alone', async () => {
    const author = await world.as('author', undefined, { suites: ['mine'] });
    const lead = await world.as('lead', undefined, { suites: ['mine'] });
    const source = { cases: [{ name: 'new', input: 1, expect: { equals: 1 } }] };
    for (const reply of [
      await author('POST', '/suites/theirs/revisions', source),
      await author('POST', '/suites/theirs/revisions/1/activate'),
      await author('GET', '/suites/theirs'),
      await author('GET', '/suites/theirs/revisions/1'),
      await author('GET', '/suites/nobodys'),
      await lead('GET', '/suites/theirs'),
      await lead('GET', '/suites/theirs/revisions/1'),
    ]) {
      expect(codeOf(reply)).toBe('403 suite_forbidden');
    }
    for (const reader of [author, lead]) {
      const { json } = await reader('GET', '/suites');
      expect(json).toMatchObject({ suites: [{ suite: 'mine' }] });
      expect((await reader('GET', '/suites/mine')).status).toBe(200);
      expect((await reader('GET', '/suites/mine/revisions/1')).status).toBe(200);
    }
    expect((await author('POST', '/suites/mine/revisions', source)).status).toBe(201);
    expect((await author('POST', '/suites/mine/revisions/1/activate')).status).toBe(200);
    expect((await world.admin('GET', '/suites/theirs')).json).toMatchObject({ revisions: [{ revision: 1 }] });
  });
});

describe('an admin that is limited', () => {
  test('sets no other gate', async () => {
    const admin = await world.as('admin', ['mine']);
    expect(codeOf(await admin('PUT', '/gates/theirs', { suites: ['mine'] }))).toBe('403 gate_forbidden');
    expect((await admin('PUT', '/gates/mine', { suites: ['mine'] })).status).toBe(200);
  });

  test('does not rotate the identity, which opens every suite', async () => {
    for (const limits of [{ gates: ['mine'] }, { suites: ['mine'] }]) {
      const { token } = await make({ role: 'admin', ...limits });
      expect(codeOf(await world.client(token)('POST', '/identity/rotate'))).toBe('403 role_forbidden');
    }
  });

  test('neither makes, nor sees, nor revokes a token that reaches further', async () => {
    const admin = await world.as('admin', ['mine']);
    const request = (gates?: string[]) => ({ role: 'ci', name: 'x', gates });
    for (const gates of [undefined, ['theirs'], ['mine', 'theirs']]) {
      expect(codeOf(await admin('POST', '/tokens', request(gates)))).toBe('403 token_too_wide');
    }
    const made = await admin('POST', '/tokens', request(['mine']));
    expect(made.status).toBe(201);
    const { id } = madeSchema.parse(made.json);
    const { id: wide } = await make({ role: 'ci' });
    expect(codeOf(await admin('GET', `/tokens/${wide}`))).toBe('403 token_too_wide');
    expect(codeOf(await admin('DELETE', `/tokens/${wide}`))).toBe('403 token_too_wide');
    const { tokens: seen } = listSchema.parse((await admin('GET', '/tokens')).json);
    expect(seen.map((token) => token.id)).toContain(id);
    expect(seen.every(({ gates }) => gates?.join() === 'mine')).toBe(true);
    expect((await admin('DELETE', `/tokens/${id}`)).status).toBe(204);
  });
});

describe('where the token is', () => {
  test('in the address it counts for nothing', async () => {
    const anybody = world.client(undefined);
    for (const query of ['token', 'access_token', 'authorization']) {
      expect(codeOf(await anybody('GET', `/gates?${query}=${adminToken}`))).toBe('401 token_missing');
    }
  });

  test('in two headers it is refused, whichever of them is right', async () => {
    const right = `Authorization: Bearer ${adminToken}`;
    const wrong = 'authorization: Bearer hb_nobody';
    for (const headers of [
      [right, wrong],
      [wrong, right],
      [right, right],
    ]) {
      const { port, hostname } = new URL(world.service.address);
      const socket = connect(Number(port), hostname);
      socket.end(`GET /gates HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers.join('\r\n')}\r\n\r\n`);
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      await once(socket, 'close');
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
      expect(text).toContain('malformed_request');
    }
  });

  test('it is not a JSON Web Token, where nobody set up whose are accepted', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'none' })}.${part({ iss: 'https://token.actions.githubusercontent.com' })}.`;
    expect(codeOf(await world.client(token)('GET', '/gates'))).toBe('401 token_invalid');
  });
});

describe('HOLDBACK_ADMIN_TOKEN', () => {
  const mistyped = `hb_${'x'.repeat(38)}`;
  test.each([mistyped, 'aaaaaaaaaa.bbbbbbbbbb.cccccccccc', 'a b c d e f g h i j k l'])(
    'is not %s, which would never be accepted',
    (text) => {
      expect(() => readConfig({ HOLDBACK_ADMIN_TOKEN: text })).toThrow('HOLDBACK_ADMIN_TOKEN');
    },
  );
});

describe('requests a minute', () => {
  let limited: World;
  const tokenMax = 5;
  const addressMax = 12;

  beforeAll(async () => {
    limited = await startWorld({
      HOLDBACK_RATE_PER_TOKEN: `${tokenMax}`,
      HOLDBACK_RATE_PER_ADDRESS: `${addressMax}`,
      HOLDBACK_TRUST_PROXY: '10.0.0.0/8',
    });
  });
  afterAll(() => limited.close());

  /** Asks as if from an address. */
  const from = async (remoteAddress: string, headers: Record<string, string> = {}, url = '/gates') => {
    const { statusCode } = await limited.service.app.inject({ url, remoteAddress, headers });
    return statusCode;
  };
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  test('are bounded for a token, wherever it is used, and for no other', async () => {
    const { database } = limited.service.database;
    const [one, other] = [
      await createToken(database, { role: 'lead', name: 'one' }, 'a test'),
      await createToken(database, { role: 'lead', name: 'other' }, 'a test'),
    ];
    for (let time = 0; time < tokenMax; time++) {
      // What its role may not do counts as well.
      const url = time === 0 ? '/tokens' : '/gates';
      expect(await from(`192.0.2.${time}`, bearer(one.token), url)).toBe(time === 0 ? 403 : 200);
    }
    const reply = await limited.client(one.token)('GET', '/gates');
    expect(codeOf(reply)).toBe('429 rate_limited');
    expect(detailOf(reply)).toContain(`at most ${tokenMax} requests a minute are answered to one token`);
    const seconds = Number(reply.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(await from('192.0.2.9', bearer(other.token))).toBe(200);
    minutesLater(1);
    expect(await from('192.0.2.9', bearer(one.token))).toBe(200);
  });

  test('are bounded for an address, whoever asks and for whatever, but not for probes', async () => {
    minutesLater(1);
    const urls = ['/gates', '/docs', '/nowhere', '/openapi.json'];
    const expected = [401, 200, 404, 200];
    for (let time = 0; time < addressMax; time++) {
      expect(await from('198.51.100.1', {}, urls[time % 4])).toBe(expected[time % 4]);
    }
    for (const url of urls) expect(await from('198.51.100.1', {}, url)).toBe(429);
    expect(await from('198.51.100.1', bearer(adminToken))).toBe(429);
    expect(await from('198.51.100.2', bearer(adminToken))).toBe(200);
    for (let time = 0; time < addressMax + 1; time++) {
      expect(await from('198.51.100.1', {}, '/healthz')).toBe(200);
      expect(await from('198.51.100.1', {}, '/readyz')).toBe(200);
    }
    // A caller of IPv6 has a network of addresses.
    for (let time = 0; time < addressMax; time++) await from(`2001:db8::${time}`);
    expect(await from('2001:db8::ffff')).toBe(429);
    minutesLater(1);
    expect(await from('198.51.100.1')).toBe(401);
  });

  test('are counted for the address that a trusted proxy names, and nobody else is believed', async () => {
    minutesLater(1);
    for (let time = 0; time < addressMax; time++) {
      await from('203.0.113.1', { 'x-forwarded-for': `198.51.100.${time}` });
    }
    expect(await from('203.0.113.1', { 'x-forwarded-for': '198.51.100.99' })).toBe(429);
    for (let time = 0; time < addressMax; time++) {
      expect(await from('10.1.2.3', { 'x-forwarded-for': `192.0.2.${time}` })).toBe(401);
      // What a client claims stands before what the proxy adds.
      await from('10.1.2.3', { 'x-forwarded-for': `192.0.2.${100 + time}, 198.51.100.77` });
    }
    expect(await from('10.1.2.3', { 'x-forwarded-for': '192.0.2.200, 198.51.100.77' })).toBe(429);
    expect(await from('10.1.2.3', { 'x-forwarded-for': '198.51.100.78' })).toBe(401);
  });

  test('are set by whole numbers, and proxies by their addresses', () => {
    expect(readConfig({})).toMatchObject({ ratePerAddress: 1_200, ratePerToken: 600, trustProxy: undefined });
    const { trustProxy } = readConfig({ HOLDBACK_TRUST_PROXY: 'loopback, 10.0.0.0/8,::1' });
    expect(trustProxy).toEqual(['loopback', '10.0.0.0/8', '::1']);
    for (const text of ['true', '*', '10.0.0.0/33', 'proxy.example', '10.0.0.0/8,', '10.0.0.0/8/8']) {
      expect(() => readConfig({ HOLDBACK_TRUST_PROXY: text }), text).toThrow('HOLDBACK_TRUST_PROXY: lists');
    }
    for (const text of ['-1', '1.5', 'many']) {
      expect(() => readConfig({ HOLDBACK_RATE_PER_TOKEN: text }), text).toThrow('HOLDBACK_RATE_PER_TOKEN');
    }
  });
});

describe('a browser', () => {
  test('is told to do nothing with an answer but show it', async () => {
    for (const path of ['/gates', '/healthz', '/nowhere', '/openapi.json']) {
      const { headers } = await world.client(undefined)('GET', path);
      const policy = "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none'";
      expect(headers.get('content-security-policy'), path).toBe(policy);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
    }
    const made = await world.admin('POST', '/tokens', { role: 'ci', name: 'x' });
    expect(made.headers.get('cache-control')).toBe('no-store');
  });

  test('may load all that the page at /docs is made of, and nothing from elsewhere', async () => {
    const anybody = world.client(undefined);
    for (const path of ['/docs', '/docs/']) {
      const page = await anybody('GET', path);
      const policy = page.headers.get('content-security-policy') ?? '';
      expect(policy).toContain(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:",
      );
      expect(policy).not.toContain('unsafe');
      // No script and no style stands in the page itself: neither would be allowed.
      expect(page.text).not.toMatch(/<style|style=|<script>|\son\w+=/);
      const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file ?? '');
      expect(files.length).toBeGreaterThan(5);
      for (const file of files) {
        const { origin, pathname } = new URL(file, `${world.service.address}${path}`);
        expect(origin).toBe(world.service.address);
        const loaded = await anybody('GET', pathname);
        expect(loaded.status, file).toBe(200);
        const elsewhere = file.endsWith('.css')
          ? /@import|url\((?!["']?data:image\/)/.exec(loaded.text)
          : null;
        expect(elsewhere, file).toBeNull();
      }
    }
  });
});
