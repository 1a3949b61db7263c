/** The pages: who may open them, what a browser is told to do with them, and how they look and are used. */
import { randomUUID } from 'node:crypto';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Role } from '../../gate/disclosure/disclosed.ts';
import { openSession } from '../../server/sessions.ts';
import { createToken } from '../../server/tokens.ts';
import { look, signIn, startBrowser, visit } from '../browser.ts';
import { adminToken, startWorld, type World } from '../world.ts';

const nobody = randomUUID();

/** A path for every page. */
const pathsOfPages = [
  '/ui/',
  '/ui/gates/main',
  '/ui/changes',
  '/ui/changes/1?gate=main',
  `/ui/scores/${nobody}/override`,
  '/ui/audit',
];

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
    // Before a proxy that the service was not told of, the browser speaks https all the same.
    const origin = world.service.address.replace('http:', 'https:');
    const proxied = await post('/ui/sign-in', { token }, { origin });
    expect(proxied.headers.get('set-cookie')).toMatch(/; Secure/);
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

describe('sessions', () => {
  test('a session ends with its token', async () => {
    const { token, id } = await tokenFor('lead');
    const cookie = await cookieOf(token);
    expect((await get('/ui/', { cookie })).status).toBe(200);
    await world.admin('DELETE', `/tokens/${id}`);
    expect((await get('/ui/', { cookie })).status).toBe(303);
  });

  test('the cookie is of no use on the API, nor a token of the header on the pages', async () => {
    const { token } = await tokenFor('lead');
    const cookie = await cookieOf(token);
    expect((await get('/gates', { cookie })).status).toBe(401);
    expect((await get('/ui/', { authorization: `Bearer ${token}` })).status).toBe(303);
    expect((await get('/gates', { authorization: `Bearer ${token}` })).status).toBe(200);
  });

  test('a session of a role that no page is for opens none', async () => {
    const { id } = await tokenFor('ci');
    const cookie = `holdback_session=${await openSession(world.service.database.database, id)}`;
    for (const path of pathsOfPages) {
      const refused = await get(path, { cookie });
      expect(refused.status, path).toBe(403);
      expect(await refused.text(), path).toContain('not for ci');
    }
  });

  test('what is asked by a script is answered as a problem, and by no page', async () => {
    const refused = await get('/ui/', { accept: 'application/json' });
    expect(refused.status).toBe(401);
    expect(await refused.json()).toMatchObject({ code: 'session_missing' });
  });

  test('a day that no calendar of the database has is refused, in words', async () => {
    const cookie = await cookieOf((await tokenFor('lead')).token);
    for (const path of ['/ui/changes?', '/ui/trends?gate=main&', '/ui/trends/export?gate=main&format=csv&']) {
      for (const day of ['from=0000-01-01', 'to=0001-01-01', 'to=9999-12-31']) {
        const answer = await get(`${path}${day}`, { cookie });
        expect(answer.status, `${path}${day}`).toBe(400);
        expect(await answer.text()).toMatch(/must be (?:from 1970-02 to 8999|a day)/);
      }
    }
  });

  test('an address after signing in is one of ours', async () => {
    const { token } = await tokenFor('lead');
    for (const to of [
      '//elsewhere.example/ui/',
      'https://elsewhere.example/ui/',
      '/\\elsewhere.example',
      '/gates',
    ]) {
      expect((await post('/ui/sign-in', { token, to })).headers.get('location'), to).toBe('/ui/');
    }
    const deep = await post('/ui/sign-in', { token, to: '/ui/changes?gate=a' });
    expect(deep.headers.get('location')).toBe('/ui/changes?gate=a');
  });

  test('a link from another site leads to the page, for whoever is signed in', async () => {
    const { context, page } = await visit(browser, world.service.address);
    await signIn(page, (await tokenFor('lead')).token);
    // Another name of this machine is another site.
    const address = world.service.address.replace('127.0.0.1', 'localhost');
    await context.route(`${address}/elsewhere`, (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<a href="${world.service.address}/ui/changes">here</a>`,
      }),
    );
    await page.goto(`${address}/elsewhere`);
    await page.getByRole('link', { name: 'here' }).click();
    await page.getByRole('heading', { name: 'Changes' }).waitFor();
    await context.close();
  });

  test('tokens are not guessed fast, and over https the cookie is for https alone', async () => {
    const strict = await startWorld({ HOLDBACK_RATE_PER_ADDRESS: '1000', HOLDBACK_TRUST_PROXY: 'loopback' });
    try {
      const send = (token: string, headers: Record<string, string> = {}) =>
        fetch(`${strict.service.address}/ui/sign-in`, {
          method: 'POST',
          redirect: 'manual',
          headers: { accept: 'text/html', origin: strict.service.address, ...headers },
          body: new URLSearchParams({ token }),
        });
      const proxied = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.1' };
      expect((await send(adminToken, proxied)).headers.get('set-cookie')).toContain('; Secure');
      const statuses = [];
      for (let guess = 0; guess < 31; guess++) statuses.push((await send(`hb_guess_${guess}`)).status);
      expect(statuses).toEqual([...Array(30).fill(401), 429]);
    } finally {
      await strict.close();
    }
  });
});

test('a script that got into a page would not run, and nothing is loaded from elsewhere', async () => {
  const { context, page, faults } = await visit(browser, world.service.address);
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.url().endsWith('/ui/sign-in')),
    page.goto('/ui/sign-in'),
  ]);
  const policy = answer.headers()['content-security-policy'] ?? '';
  expect(policy).not.toContain('unsafe');
  expect(policy).toContain("frame-ancestors 'none'");
  await page.evaluate(`
    const script = document.createElement('script');
    script.textContent = 'window.ranInline = true';
    document.body.append(script);
    const image = document.createElement('div');
    image.innerHTML = '<img src="/ui/nothing" onerror="window.ranHandler = true"><a href="javascript:window.ranLink = true" id="link">go</a>';
    document.body.append(image);
    document.getElementById('link').click();
  `);
  await page.waitForTimeout(200);
  const ran = "['ranInline', 'ranHandler', 'ranLink'].filter((name) => name in window)";
  expect(await page.evaluate(ran)).toEqual([]);
  expect(faults).toEqual([]);
  await context.close();
});

test('scripts and styles are kept for good, and pages are not kept at all', async () => {
  const page = await get('/ui/sign-in');
  expect(page.headers.get('cache-control')).toBe('no-store');
  const addresses = [...(await page.text()).matchAll(/(?:href|src)="(\/ui\/assets\/[^"]+)"/g)].map(
    ([, path]) => path,
  );
  expect(addresses).toHaveLength(2);
  for (const path of addresses) {
    const asset = await get(`${path}`);
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(asset.headers.get('content-type')).toMatch(/^text\/(css|javascript); charset=utf-8$/);
  }
  expect((await get('/ui/assets/style.000000000000.css')).status).toBe(404);
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
    // Whatever is scored at the other gate spends the budget of this one.
    for (const [gate, exposureBudgetBits] of Object.entries({ checkout: 1_000, payments: 1 })) {
      const policy = {
        ...{ suites: ['doubling'], exposureBudgetBits, attemptsPerChange: 50 },
        publicBadges: gate === 'checkout',
      };
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
    const badge = page.getByAltText('The badge of checkout');
    await expect.poll(() => badge.evaluate((image) => Reflect.get(image, 'naturalWidth'))).toBeGreaterThan(0);
    expect(await page.locator('#badges + .card').textContent()).toContain(
      `![Holdback](${world.service.address}/gates/checkout/badge.svg)`,
    );
    expect(await page.locator('#badges + .card').innerText()).toContain(
      'badge.svg?change=17&repository=acme/shop)',
    );
    await look(page, 'gate');
    await page.goto('/ui/changes/17?gate=checkout&repository=acme%2Fshop');
    await look(page, 'change');
    await page.goto('/ui/changes');
    await look(page, 'changes');
    await page.getByLabel('Author').fill('Ada');
    await page.getByLabel('Verdict').selectOption('merge');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.waitForURL(/author=Ada/);
    expect(await page.locator('tbody tr').count()).toBe(1);
    expect(await page.content()).not.toContain('CANARY');
    await page.goto('/ui/audit');
    await look(page, 'audit');
    await page.goto('/ui/audit?action=gate.set');
    expect(await page.locator('tbody tr').count()).toBe(2);
    expect(faults).toEqual([]);
    await context.close();
  });

  test('a phone shows without scrolling sideways where one can go, how changes came out, and what the audit records', async () => {
    const { context, page } = await visit(browser, world.service.address);
    await signIn(page, (await tokenFor('lead')).token);
    await page.setViewportSize({ width: 375, height: 740 });
    const edgeOf = async (selector: string) => {
      const boxes = await Promise.all((await page.locator(selector).all()).map((each) => each.boundingBox()));
      return Math.max(...boxes.map((box) => (box === null ? Number.POSITIVE_INFINITY : box.x + box.width)));
    };
    expect(await edgeOf('.bar nav a')).toBeLessThanOrEqual(375);
    expect(await edgeOf('tbody .badge')).toBeLessThanOrEqual(375);
    await page.goto('/ui/changes');
    expect(await edgeOf('tbody .badge')).toBeLessThanOrEqual(375);
    await page.goto('/ui/audit');
    expect(await edgeOf('tbody td')).toBeLessThanOrEqual(375);
    await context.close();
  });

  test('names that were made to do something do nothing', async () => {
    const { context, page, faults } = await visit(browser, world.service.address);
    await signIn(page, (await tokenFor('author', { name: hostile.author })).token);
    const query = new URLSearchParams({ gate: 'checkout', repository: hostile.repository });
    await page.goto(`/ui/changes/${encodeURIComponent(hostile.id)}?${query}`);
    await look(page, 'change-hostile');
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

  test('every place can be reached by keyboard, and what has the focus can be seen', async () => {
    const { context, page } = await visit(browser, world.service.address);
    await signIn(page, (await tokenFor('lead')).token);
    await page.goto('/ui/');
    const focused = () =>
      page.evaluate<{ text: string; outline: string }>(
        '({ text: document.activeElement.textContent.trim() || document.activeElement.ariaLabel, outline: getComputedStyle(document.activeElement).outlineStyle })',
      );
    const walked: string[] = [];
    for (let step = 0; step < 12; step++) {
      await page.keyboard.press('Tab');
      const { text, outline } = await focused();
      walked.push(text);
      expect(outline, text).toBe('solid');
    }
    expect(walked.slice(0, 7)).toEqual([
      'Skip to the content',
      'Holdback',
      'Overview',
      'Changes',
      'Suites',
      'Trends',
      'Audit',
    ]);
    expect(walked).toContain('Sign out');
    expect(walked).toContain('checkout');
    await page.goto('/ui/');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('content');
    await context.close();
  });

  test('the theme is the system’s until somebody chooses, and then stays', async () => {
    const { context, page } = await visit(browser, world.service.address);
    await page.emulateMedia({ colorScheme: 'light' });
    await signIn(page, (await tokenFor('lead')).token);
    const background = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    const light = await background();
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = await background();
    expect(dark).not.toBe(light);
    const toggle = page.getByRole('button', { name: /^Theme/ });
    await toggle.click();
    expect(await toggle.getAttribute('aria-label')).toBe('Theme: light');
    await page.goto('/ui/changes');
    expect(await background()).toBe(light);
    await context.close();
  });

  test('a lead lets a blocked change merge with a reason, an author cannot, and a reason is needed', async () => {
    const { context, page } = await visit(browser, world.service.address);
    await signIn(page, (await tokenFor('lead')).token);
    await page.goto('/ui/changes/17?gate=checkout&repository=acme%2Fshop');
    await page.getByRole('link', { name: 'Let it merge…' }).first().click();
    await look(page, 'override');
    await page.getByRole('button', { name: 'Let it merge' }).click();
    expect(new URL(page.url()).pathname).toMatch(/\/override$/);
    await page.getByLabel('Why may it merge?').fill('The case is wrong: <script>alert(7)</script>');
    const [overruled] = /[0-9a-f-]{36}/.exec(page.url()) ?? [];
    await page.getByRole('button', { name: 'Let it merge' }).click();
    await page.getByText('The case is wrong').waitFor();
    await page.getByText('merge · overridden').first().waitFor();
    await look(page, 'change-overruled');
    const cookie = await cookieOf((await tokenFor('author')).token);
    expect((await get(`/ui/scores/${overruled}/override`, { cookie })).status).toBe(403);
    await context.close();
  });

  test('a token that is limited to a gate sees nothing of the others', async () => {
    const cookie = await cookieOf((await tokenFor('lead', { gates: ['payments'] })).token);
    const overview = await (await get('/ui/', { cookie })).text();
    expect(overview).toContain('/ui/gates/payments');
    expect(overview).not.toContain('checkout');
    expect(await (await get('/ui/changes', { cookie })).text()).not.toContain('checkout');
    for (const path of [
      '/ui/gates/checkout',
      '/ui/changes/17?gate=checkout',
      '/ui/changes?gate=checkout',
      '/ui/audit',
    ]) {
      expect((await get(path, { cookie })).status, path).toBe(403);
    }
  });

  test('an author sees no audit', async () => {
    const cookie = await cookieOf((await tokenFor('author')).token);
    expect((await get('/ui/audit', { cookie })).status).toBe(403);
    expect(await (await get('/ui/', { cookie })).text()).not.toContain('/ui/audit');
  });
});
