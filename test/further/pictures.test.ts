/** Badges and pictures for READMEs: who sees them, what they tell, and that nothing but a picture can come out of them. */
import { sql } from 'drizzle-orm';
import { XMLValidator } from 'fast-xml-parser';
import fastify from 'fastify';
import { serializerCompiler } from 'fastify-type-provider-zod';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { pictureRoutes } from '../../server/routes/pictures.ts';
import { validatorCompiler } from '../../server/validation.ts';
import { seedAttempts } from '../seed-attempts.ts';
import { startWorld, type World } from '../world.ts';

const agents = [{ agent: 'agent-1', author: 'ada', model: 'm', right: 0.6, visible: 0.5 }];
const caseName = 'a case that nobody may know of';
const right = 'export function run(x) { return x }';

let world: World;

beforeAll(async () => {
  // Nothing that is scored in this file is heard of before it ends.
  world = await startWorld({ HOLDBACK_SLOT_MS: '300000' });
  const cases = [
    { name: caseName, input: 1, expect: { equals: 1 } },
    { name: 'another', input: 2, expect: { equals: 2 } },
  ];
  for (const gate of ['open', 'closed']) {
    expect((await world.admin('POST', `/suites/${gate}/revisions?activate=true`, { cases })).status).toBe(
      201,
    );
    const policy = { suites: [gate], publicBadges: gate === 'open' };
    expect((await world.admin('PUT', `/gates/${gate}`, policy)).status).toBe(200);
    const { database } = world.service.database;
    await seedAttempts(database, { gate, agents, days: 20, perDay: 5, now: new Date() });
  }
});
afterAll(() => world.close());

/** Asks as a browser that shows a README does. */
function ask(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${world.service.address}${path}`, { headers });
}

/** The picture at a path, as anybody sees it: it has to be one, and harmless. */
async function drawn(path: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await ask(path, headers);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('image/svg+xml; charset=utf-8');
  expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none';/);
  expect(answer.headers.get('content-security-policy')).not.toMatch(/unsafe/);
  expect(answer.headers.get('cross-origin-resource-policy')).toBe('cross-origin');
  const svg = await answer.text();
  expect(XMLValidator.validate(svg)).toBe(true);
  expect(svg).not.toMatch(
    /<script|<foreignObject|<image|<a[\s>]|\shref=|\son\w+=|url\((?!#)|@import|https?:\/\/(?!www\.w3\.org\/2000\/svg")/i,
  );
  return svg;
}

/** What a badge says to those who do not see it. */
function said(svg: string): string {
  return /<title>([^<]*)<\/title>/.exec(svg)?.[1] ?? '';
}

test('a gate that is not public looks like one that there is not, to the byte', async () => {
  for (const picture of [
    'badge.svg',
    'badge.svg?change=PR-1',
    'badge.svg?change=PR-1&commit=c0ffee',
    'trends.svg',
    'trends.svg?days=7',
  ]) {
    const [closed, unknown] = await Promise.all([
      ask(`/gates/closed/${picture}`),
      ask(`/gates/nowhere/${picture}`),
    ]);
    const seen = async (answer: Response) => ({
      status: answer.status,
      headers: [...answer.headers].filter(([name]) => name !== 'date'),
      text: await answer.text(),
    });
    const answer = await seen(closed);
    expect(answer).toEqual(await seen(unknown));
    expect(said(answer.text)).toBe('holdback: not public');
  }
});

test('a public gate shows how many attempts passed, and nothing of its cases', async () => {
  const trend = await world.admin('GET', '/trends?gate=open');
  const badge = said(await drawn('/gates/open/badge.svg'));
  const rate = Number(/(\d+(?:\.\d)?)\s%/.exec(badge)?.[1]);
  const { series } = Object(trend.json);
  expect(rate / 100).toBeCloseTo(series[0].total.passRate.rate, 2);
  const picture = await drawn('/gates/open/trends.svg?days=30');
  expect(said(badge) + badge).toContain('open');
  expect(picture).toContain(`open · ${rate}\u00a0% pass`);
  expect(picture).not.toMatch(/case|ada|agent|\bms\b| s</);
  expect(picture).not.toContain(caseName);
});

test.each([
  ['light', /chart-picture light"/],
  ['dark', /chart-picture dark"/],
  ['auto', /chart-picture"/],
])('a picture can be had in the %s theme', async (theme, className) => {
  expect(await drawn(`/gates/open/trends.svg?theme=${theme}`)).toMatch(className);
});

test('the badge of a change says its newest verdict, once its slot has ended', async () => {
  const { database } = world.service.database;
  const result = await database.execute(
    sql`SELECT DISTINCT ON (verdict) change_id AS change, verdict FROM verdicts WHERE gate = 'open'`,
  );
  const rows: unknown = Reflect.get(Object(result), 'rows');
  if (!Array.isArray(rows)) throw new Error('PGlite answers with rows');
  expect(rows).toHaveLength(2);
  for (const { change, verdict } of rows) {
    expect(said(await drawn(`/gates/open/badge.svg?change=${change}`))).toBe(`holdback open: ${verdict}`);
    expect(said(await drawn(`/gates/open/badge.svg?change=${change}&commit=c0ffee`))).toBe(
      `holdback open: ${verdict}`,
    );
    expect(said(await drawn(`/gates/open/badge.svg?change=${change}&commit=0ddba11`))).toBe(
      'holdback open: not scored',
    );
    expect(said(await drawn(`/gates/open/badge.svg?change=${change}&repository=acme/shop`))).toBe(
      'holdback open: not scored',
    );
  }
  // A verdict that only people have heard of: of the older one, which was of another build, nothing is told.
  const merged = rows.find(({ verdict }) => verdict === 'merge');
  const change = { id: merged?.change, commit: 'newer' };
  const scored = await world.admin('POST', '/score', { gate: 'open', change, candidate: { source: right } });
  expect(scored.json).toMatchObject({ state: 'finished', verdict: 'merge' });
  expect(said(await drawn(`/gates/open/badge.svg?change=${change.id}`))).toBe('holdback open: waiting');
  expect(said(await drawn(`/gates/open/badge.svg?change=${change.id}&commit=c0ffee`))).toBe(
    'holdback open: merge',
  );
});

test('who reads history sees every gate within their limits; everybody else sees what is public', async () => {
  const badgeFor = async (client: Awaited<ReturnType<World['as']>>) =>
    said((await client('GET', '/gates/closed/badge.svg')).text);
  for (const role of ['author', 'lead'] as const)
    expect(await badgeFor(await world.as(role))).toMatch(/^holdback closed: /);
  expect(await badgeFor(world.admin)).toMatch(/^holdback closed: /);
  for (const client of [
    await world.as('ci'),
    await world.as('harness'),
    await world.as('lead', ['open']),
    await world.as('lead', undefined, { suites: ['closed'] }),
  ]) {
    expect(await badgeFor(client)).toBe('holdback: not public');
  }
  const nobody = await world.client('hb_nobody')('GET', '/gates/open/badge.svg');
  expect(nobody.status).toBe(401);
});

test('a picture is fetched again only when it has changed, and kept for a minute', async () => {
  const first = await ask('/gates/open/badge.svg');
  expect(first.headers.get('cache-control')).toBe('public, max-age=60');
  const etag = first.headers.get('etag') ?? '';
  const again = await ask('/gates/open/badge.svg', { 'if-none-match': `"other", W/${etag}` });
  expect(again.status).toBe(304);
  expect(await again.text()).toBe('');
  const lead = await world.as('lead');
  expect((await lead('GET', '/gates/closed/badge.svg')).headers.get('cache-control')).toBe(
    'private, max-age=60',
  );
});

test('neither names of gates nor queries put anything into a picture', async () => {
  const hostile = encodeURIComponent('"><script>alert(1)</script>');
  for (const path of [
    `/gates/${hostile}/badge.svg`,
    `/gates/${hostile}/trends.svg`,
    `/gates/open/badge.svg?label=${hostile}`,
    `/gates/open/trends.svg?theme=${hostile}`,
    '/gates/open/trends.svg?days=100000',
    '/gates/open/badge.svg?change=',
  ]) {
    const answer = await ask(path);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  }
  expect(said(await drawn(`/gates/open/badge.svg?change=${hostile}&repository=${hostile}`))).toBe(
    'holdback open: not scored',
  );
});

test('a gate shows its pictures only as long as its policy says so', async () => {
  expect((await world.admin('GET', '/gates/open')).json).toMatchObject({ publicBadges: true });
  expect((await world.admin('PUT', '/gates/open', { suites: ['open'] })).json).toMatchObject({
    publicBadges: false,
  });
  expect(said(await drawn('/gates/open/badge.svg'))).toBe('holdback: not public');
  expect(said(await drawn('/gates/open/trends.svg'))).toBe('holdback: not public');
});

test('a picture that many ask for at once is counted once', async () => {
  await world.admin('PUT', '/gates/open', { suites: ['open'], publicBadges: true });
  const { database } = world.service.database;
  let counted = 0;
  const counting = new Proxy(database, {
    get(target, key) {
      if (key === 'execute') counted++;
      return Reflect.get(target, key, target);
    },
  });
  const app = fastify();
  onTestFinished(() => app.close());
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest('reader', null);
  await app.register(pictureRoutes, { database: counting, slotMs: 0 });
  const asked = async () => app.inject('/gates/open/badge.svg');
  expect((await asked()).statusCode).toBe(200);
  const once = counted;
  counted = 0;
  const others = Array.from({ length: 10 }, () => app.inject('/gates/open/trends.svg'));
  for (const { statusCode } of await Promise.all(others)) expect(statusCode).toBe(200);
  expect([once > 0, counted]).toEqual([true, once]);
});
