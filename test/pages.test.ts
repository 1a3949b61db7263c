/** The pages: who may open them, what a browser is told to do with them, and how they look and are used. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Role } from '../gate/disclosure/disclosed.ts';
import { createToken } from '../server/tokens.ts';
import { look, signIn, startBrowser, visit } from './browser.ts';
import { startWorld, type World } from './world.ts';

let world: World;
let browser: Browser;

beforeAll(async () => {
  [world, browser] = await Promise.all([startWorld(), startBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await world?.close();
});

async function tokenFor(role: Role, more: { gates?: string[]; suites?: string[]; name?: string } = {}) {
  const request = { role, name: `a test's ${role}`, ...more };
  return createToken(world.service.database.database, request, 'a test');
}

/** Asks for a page as a browser does, without following where it leads. */
function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${world.service.address}${path}`, {
    redirect: 'manual',
    headers: { accept: 'text/html', ...headers },
  });
}

/** Sends a form as a browser does from the service's own page, or with other headers. */
function post(path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  return fetch(`${world.service.address}${path}`, {
    method: 'POST',
    redirect: 'manual',
    headers: { accept: 'text/html', origin: world.service.address, ...headers },
    body: new URLSearchParams(form),
  });
}

/** Signs in and gives the cookie as the browser sends it back. */
async function cookieOf(token: string): Promise<string> {
  const answer = await post('/ui/sign-in', { token });
  expect(answer.status).toBe(303);
  return answer.headers.get('set-cookie')?.split(';', 1)[0] ?? '';
}

/** The token in the forms of a page. */
function csrfIn(page: string): string {
  return /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? '';
}

describe('signing in', () => {
  test('whoever is not signed in is asked to, and led on to where they wanted to go', async () => {
    const { context, page } = await visit(browser, world.service.address);
    const { token } = await tokenFor('lead');
    await page.goto('/ui/?from=a-link');
    expect(new URL(page.url()).pathname).toBe('/ui/sign-in');
    await look(page, 'sign-in');
    await signIn(page, token, '/ui/?from=a-link');
    expect(new URL(page.url()).pathname).toBe('/ui/');
    await context.close();
  });

  test('the cookie is for the pages of this site, for half a day, and for no script', async () => {
    const { token } = await tokenFor('lead');
    const cookie = (await post('/ui/sign-in', { token })).headers.get('set-cookie');
    expect(cookie).toMatch(/^holdback_session=[\w-]{43}; /);
    expect(cookie).toMatch(/; HttpOnly/);
    expect(cookie).toMatch(/; SameSite=Strict/);
    expect(cookie).toMatch(/; Path=\/ui/);
    expect(cookie).toMatch(/; Max-Age=43200/);
    expect(cookie).not.toMatch(/Secure/);
  });

  test.each(['ci', 'harness'] as const)('a token for %s opens no page', async (role) => {
    const { token } = await tokenFor(role);
    const refused = await post('/ui/sign-in', { token });
    expect(refused.status).toBe(403);
    expect(refused.headers.get('set-cookie')).toBeNull();
    expect(await refused.text()).toContain('it opens no page');
    const withHeader = await get('/ui/', { authorization: `Bearer ${token}` });
    expect(withHeader.status).toBe(303);
    expect(withHeader.headers.get('location')).toMatch(/^\/ui\/sign-in/);
  });
});

describe('an empty house', () => {
  test('every place says what to do next', async () => {
    const { context, page, faults } = await visit(browser, world.service.address);
    await signIn(page, (await tokenFor('lead')).token);
    await look(page, 'overview-empty');
    await page.goto('/ui/nowhere');
    await look(page, 'not-found');
    expect(faults).toEqual([]);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL('**/ui/sign-in');
    await context.close();
  });
});

describe('forms', () => {
  test('a form is refused without its token, from another site, and from nowhere', async () => {
    const cookie = await cookieOf((await tokenFor('lead')).token);
    const csrf = csrfIn(await (await get('/ui/', { cookie })).text());
    expect(csrf).toMatch(/^[\w-]{43}$/);
    const out = async (form: Record<string, string>, headers: Record<string, string>) =>
      (await post('/ui/sign-out', form, { cookie, ...headers })).status;
    expect(await out({}, {})).toBe(403);
    expect(await out({ csrf: csrf.replace(/^./, '!') }, {})).toBe(403);
    expect(await out({ csrf }, { origin: 'https://elsewhere.example' })).toBe(403);
    expect(await out({ csrf }, { origin: 'null' })).toBe(403);
    expect(await out({ csrf }, { 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect((await get('/ui/', { cookie })).status).toBe(200);
    expect(await out({ csrf }, {})).toBe(303);
    expect((await get('/ui/', { cookie })).status).toBe(303);
  });
});

describe('a house in use', () => {
  /** Names that would do something, if any page took them for more than names. */
  const hostile = {
    author: '<script>alert(1)</script>',
    agent: '"><img src=x onerror=alert(2)>',
    model: "'><svg/onload=alert(3)>",
    id: 'javascript:alert(4)',
    commit: 'abc\u202e<b onmouseover=alert(5)>',
    repository: 'acme/</title><script>alert(6)</script>',
  };
  const right = 'export const run = (n) => 2 * n;';
  const wrong = 'export const run = (n) => (n === 3 ? 7 : 2 * n);';
  const wrongElsewhere = 'export const run = (n) => (n > 4 ? n : 2 * n);';

  beforeAll(async () => {
    const cases = [1, 2, 3, 4, 5, 6, 7].map((n) => ({
      name: `CANARY doubles ${n}`,
      input: n,
      expect: { equals: 2 * n },
    }));
    const pushed = await world.admin('POST', '/suites/doubling/revisions?activate=true', { cases });
    expect(pushed.status).toBe(201);
    for (const gate of ['checkout', 'payments']) {
      const policy = { suites: ['doubling'], exposureBudgetBits: 40, attemptsPerChange: 50 };
      expect((await world.admin('PUT', `/gates/${gate}`, policy)).status).toBe(200);
    }
    const ci = await world.as('ci');
    const score = async (gate: string, change: object, source: string) => {
      const scored = await ci('POST', '/score', { gate, change, candidate: { source } });
      expect(scored.status).toBe(200);
    };
    for (const [index, source] of [wrong, wrongElsewhere, right].entries()) {
      await score('checkout', { ...hostile, commit: `${hostile.commit}${index}` }, source);
      const change = {
        id: '17',
        commit: `c0ffee${index}`,
        repository: 'acme/shop',
        author: 'Ada',
        agent: 'otter',
      };
      await score('checkout', change, source);
    }
    await score('payments', { id: '18', commit: 'badc0de', author: 'Grace', model: 'm-2' }, wrong);
  });

  test('a lead sees how gates stand, what was tried of a change, and the audit, and no name of a case', async () => {
    const { context, page, faults } = await visit(browser, world.service.address);
    await signIn(page, (await tokenFor('lead')).token);
    await look(page, 'overview');
    await page.goto('/ui/gates/checkout');
    await look(page, 'gate');
    expect(await page.content()).not.toContain('CANARY');
    await page.goto('/ui/audit');
    await look(page, 'audit');
    await page.goto('/ui/audit?action=gate.set');
    expect(await page.locator('tbody tr').count()).toBe(2);
    expect(faults).toEqual([]);
    await context.close();
  });

  test('names that were made to do something do nothing', async () => {
    const { context, page, faults } = await visit(browser, world.service.address);
    await signIn(page, (await tokenFor('author', { name: hostile.author })).token);
    for (const path of ['/ui/', '/ui/gates/checkout']) {
      await page.goto(path);
      expect(await page.locator('main').innerText()).toContain(hostile.author);
    }
    for (const path of [`/ui/nowhere/${encodeURIComponent(hostile.agent)}`, '/ui/gates/%3Cscript%3E']) {
      await page.goto(path);
    }
    expect(await page.evaluate<number>('document.querySelectorAll("main script, main img").length')).toBe(0);
    expect(faults).toEqual([]);
    await context.close();
  });
});
