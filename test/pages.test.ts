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

test('the first look of every place of a lead', async () => {
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
