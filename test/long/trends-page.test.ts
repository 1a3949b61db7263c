/** The page of trends as leads use it: pictures that can be read off, zoomed and exported, and in which names are nothing but names. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Role } from '../../gate/disclosure/disclosed.ts';
import type { TokenRequest } from '../../server/token.ts';
import { createToken } from '../../server/tokens.ts';
import { look, signIn, startBrowser, visit } from '../browser.ts';
import { type SeededAgent, seedAttempts } from '../seed-attempts.ts';
import { sealSuite, startWorld, type World } from '../world.ts';

const hostile = '"><img src=x onerror=alert(1)><script>alert(2)</script>\u202e';
const agents: SeededAgent[] = [
  { agent: 'careful-coder', author: 'ada', model: 'm-large', right: 0.75, visible: 0.15 },
  { agent: 'quick-fixer', author: 'grace', model: 'm-small', right: 0.45, visible: 0.85 },
  { agent: hostile, author: hostile, model: hostile, right: 0.6, visible: 0.4 },
  { agent: null, author: 'barbara', model: 'm-large', right: 0.65, visible: 0.3 },
];
const caseName = 'a case that never fails';

let world: World;
let browser: Browser;
let visitor: { context: BrowserContext; page: Page; faults: string[] };
let page: Page;

beforeAll(async () => {
  [world, browser] = await Promise.all([startWorld(), startBrowser()]);
  const cases = [
    { name: caseName, input: 1, expect: { equals: 1 } },
    { name: 'another', input: 2, expect: { equals: 2 } },
  ];
  for (const gate of ['checkout', 'quiet']) await sealSuite(world, gate, { cases });
  const { database } = world.service.database;
  await seedAttempts(database, { gate: 'checkout', agents, days: 60, perDay: 14, now: new Date() });
  visitor = await visit(browser, world.service.address);
  page = visitor.page;
  await signIn(page, await tokenFor('lead'));
});
afterAll(async () => {
  await browser?.close();
  await world?.close();
});

async function tokenFor(role: Role, more: Partial<TokenRequest> = {}): Promise<string> {
  const made = await createToken(
    world.service.database.database,
    { role, name: `a ${role}`, ...more },
    'a test',
  );
  return made.token;
}

/** The picture of this title. */
const chart = (title: string) =>
  page.locator('figure[data-chart]').filter({ has: page.getByRole('heading', { name: title, exact: true }) });

test('a lead sees how it goes, with intervals, and how each agent does', async () => {
  await page.goto('/ui/trends?gate=checkout');
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Trends of gate checkout');
  const figures = await page.locator('.figures').innerText();
  expect(figures).toMatch(/Pass rate\s+\d+(\.\d)?\s%\s+\d+(\.\d)?–\d+(\.\d)?\s% · \d+ of \d+/);
  expect(figures).toMatch(/Generalisation gap\s+\+\d/);
  expect(await page.getByText('Its builds fit the tests they can see').innerText()).toContain('quick-fixer');
  expect(await page.locator('figure[data-chart]').count()).toBe(8);
  await page.goto('/ui/trends?gate=checkout&by=agent&days=90');
  await look(page, 'trends-by-agent');
});

/** The middle of a bucket of a picture, where the pointer has to be. */
async function placeOf(title: string, share: number): Promise<{ x: number; y: number }> {
  const reader = chart(title).locator('.reader');
  await reader.scrollIntoViewIfNeeded();
  const box = await reader.boundingBox();
  if (box === null) throw new Error(`${title} is not shown`);
  // The plot begins beside the axis.
  return { x: box.x + box.width * (0.11 + 0.86 * share), y: box.y + box.height / 2 };
}

/** The table behind a picture, row by row. */
async function tableOf(title: string): Promise<string[][]> {
  return chart(title)
    .locator('tbody tr')
    .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => `${cell.textContent}`)));
}

test('pointing at a picture reads off what its table says of the same bucket', async () => {
  await page.goto('/ui/trends?gate=checkout&by=agent&days=90');
  const rows = await tableOf('Pass rate');
  expect(rows).toHaveLength(14);
  const { x, y } = await placeOf('Pass rate', 0.75);
  await page.mouse.move(x, y);
  const tip = chart('Pass rate').locator('.tip');
  const [row = []] = rows.slice(10, 11);
  expect((await tip.locator('strong').textContent()) ?? '').toBe(row[0]);
  expect(await tip.locator('dd').allTextContents()).toEqual(row.slice(1, 5));
  expect(await tip.locator('dt').allTextContents()).toContain('quick-fixer');
  await page.screenshot({ path: 'test/output/trends-hover.png' });
  await page.mouse.move(5, 5);
  expect(await tip.isHidden()).toBe(true);
});

test('the legend switches series, and says which are on', async () => {
  await page.goto('/ui/trends?gate=checkout&by=agent');
  const figure = chart('Pass rate');
  const button = figure.getByRole('button', { name: 'quick-fixer' });
  const line = figure.locator('[data-series="1"]');
  expect(await button.getAttribute('aria-pressed')).toBe('true');
  await button.press('Enter');
  expect(await button.getAttribute('aria-pressed')).toBe('false');
  expect(await line.isVisible()).toBe(false);
  const { x, y } = await placeOf('Pass rate', 0.5);
  await page.mouse.move(x, y);
  expect(await figure.locator('.tip dt').allTextContents()).not.toContain('quick-fixer');
  await button.click();
  expect(await line.isVisible()).toBe(true);
});

test('dragging over a part zooms into it, by an address that can be shared, and there are ways back', async () => {
  await page.goto('/ui/trends?gate=checkout&days=90');
  const before = await tableOf('Pass rate');
  const [from, to] = [await placeOf('Pass rate', 0.55), await placeOf('Pass rate', 0.8)];
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(to.x, to.y, { steps: 4 });
  await page.screenshot({ path: 'test/output/trends-drag.png' });
  await Promise.all([page.waitForURL(/from=/), page.mouse.up()]);
  const zoomed = new URL(page.url()).searchParams;
  expect(zoomed.get('gate')).toBe('checkout');
  expect(new Date(`${zoomed.get('from')}`).getUTCDay()).toBe(1);
  const after = await tableOf('Pass rate');
  expect(after.length).toBeGreaterThan(before.length);
  expect(after[0]?.[0]).toBe(before[7]?.[0]?.replace('Week of ', ''));
  await page.getByRole('link', { name: 'Zoom out to 90 days' }).click();
  await page.waitForURL((url) => !url.searchParams.has('from'));
  expect(await tableOf('Pass rate')).toEqual(before);
});

test('a picture is read off and zoomed by keys alone, and tells what it shows', async () => {
  await page.goto('/ui/trends?gate=checkout');
  const rows = await tableOf('Generalisation gap');
  const reader = chart('Generalisation gap').getByRole('slider', { name: 'Read off: Generalisation gap' });
  await reader.focus();
  await page.keyboard.press('ArrowLeft');
  const told = async () => (await reader.getAttribute('aria-valuetext')) ?? '';
  const [name = '', text = ''] = rows.at(-2) ?? [];
  expect(await told()).toBe(`${name}. ${text}`);
  await page.keyboard.press('Home');
  expect(await told()).toContain(`${rows[0]?.[0]}. `);
  await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('Shift+ArrowRight');
  expect(await told()).toContain(`Selected from ${rows[0]?.[0]}. ${rows[2]?.[0]}`);
  await page.keyboard.press('Escape');
  expect(await chart('Generalisation gap').locator('.tip').isHidden()).toBe(true);
  await page.keyboard.press('Home');
  await page.keyboard.press('Shift+ArrowRight');
  await Promise.all([page.waitForURL(/from=/), page.keyboard.press('Enter')]);
  expect(await tableOf('Pass rate')).toHaveLength(48);
});

test('what is exported is what the table says, in the period and the split that are looked at', async () => {
  await page.goto('/ui/trends?gate=checkout&by=agent&days=30');
  const rows = await tableOf('Pass rate');
  const { request } = visitor.context;
  const address = (format: string) =>
    page.getByRole('link', { name: format, exact: true }).getAttribute('href');
  const csv = await request.get(`${await address('CSV')}`);
  expect(csv.headers()['content-type']).toContain('text/csv');
  expect(csv.headers()['content-disposition']).toContain('attachment');
  const [head = '', ...lines] = (await csv.text()).trimEnd().split('\r\n');
  const [settled, passed] = ['settled', 'passed'].map((name) => head.split(',').indexOf(name));
  const careful = lines
    .filter((line) => line.startsWith('checkout,named,careful-coder,'))
    .map((line) => line.split(','));
  expect(careful.map((line) => line[settled ?? -1])).toEqual(
    rows.map(([, text]) => (text === '–' ? '0' : / of (\d+)$/.exec(text ?? '')?.[1])),
  );
  expect(careful.some((line) => Number(line[passed ?? -1]) > 0)).toBe(true);
  const json = await request.get(`${await address('JSON')}`);
  expect(await json.json()).toMatchObject({ gate: 'checkout', by: 'agent', bucket: 'week' });
  await page.goto('/ui/trends?gate=checkout');
  const together: unknown = await (await request.get(`${await address('JSON')}`)).json();
  expect(together).toMatchObject({ by: null, bucket: 'day', series: [{ kind: 'all' }] });
});

test('names that others chose run nowhere: not in pictures, tables, tips or fields', async () => {
  await page.goto(
    `/ui/trends?${new URLSearchParams({ gate: 'checkout', by: 'author', author: hostile, agent: hostile })}`,
  );
  expect(await page.getByRole('textbox', { name: 'Author' }).inputValue()).toBe(hostile);
  for (const title of ['Pass rate', 'Time to green']) {
    const { x, y } = await placeOf(title, 0.9);
    await page.mouse.move(x, y);
  }
  expect(await page.locator('.charts script, .charts img, .tip script, .tip img').count()).toBe(0);
  expect(await page.getByText('⟨U+202E⟩').count()).toBeGreaterThan(0);
  for (const hostileQuery of [
    'gate=%22%3E%3Cscript%3Ealert(1)',
    'gate=checkout&by=%3Cscript%3E',
    'gate=checkout&x=1',
  ]) {
    const answer = await page.goto(`/ui/trends?${hostileQuery}`);
    expect(answer?.status()).toBe(400);
    expect(await page.locator('main script').count()).toBe(0);
  }
  expect(visitor.faults).toEqual([]);
});

test('where there is nothing yet, it says what would be there and how to get it', async () => {
  await page.goto('/ui/trends?gate=quiet');
  expect(await page.getByRole('heading', { name: 'Nothing was settled in this period' }).isVisible()).toBe(
    true,
  );
  expect(await page.getByText('holdback score --gate quiet').isVisible()).toBe(true);
  await look(page, 'trends-empty');
});

test('a suite shows its cases that never fail: their names to authors, their places to leads', async () => {
  await page.goto('/ui/trends?of=suite:checkout&days=90&gate=&suite=');
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Trends of suite checkout');
  const section = page.getByRole('region', { name: /^Cases that never fail/ }).first();
  expect(await section.innerText()).toContain('Case 0');
  expect(await page.content()).not.toContain(caseName);
  await look(page, 'trends-suite');
  const author = await visit(browser, world.service.address);
  await signIn(author.page, await tokenFor('author'), '/ui/trends?suite=checkout&days=90');
  expect(await author.page.content()).toContain(caseName);
  await author.context.close();
});

test('a token that is limited sees its own gates and suites alone', async () => {
  const limited = await visit(browser, world.service.address);
  await signIn(limited.page, await tokenFor('lead', { suites: ['quiet'] }), '/ui/trends');
  expect(await limited.page.locator('#of option').allTextContents()).toEqual(['quiet', 'quiet']);
  const answer = await limited.page.goto('/ui/trends?gate=checkout');
  expect(answer?.status()).toBe(403);
  expect((await limited.context.request.get('/ui/trends/export?suite=checkout&format=csv')).status()).toBe(
    403,
  );
  await limited.context.close();
});

test('without scripts every picture is there, and its table', async () => {
  const context = await browser.newContext({ baseURL: world.service.address, javaScriptEnabled: false });
  await context.addCookies(await visitor.context.cookies());
  const plain = await context.newPage();
  await plain.goto('/ui/trends?gate=checkout&by=agent');
  expect(await plain.locator('svg.chart-picture').count()).toBe(10);
  expect(await plain.locator('figure details table').count()).toBe(8);
  expect(await plain.getByText('Drag over a part').isVisible()).toBe(false);
  await context.close();
});

test('the picture for READMEs is drawn with its style, which its policy allows and nothing else', async () => {
  const policy = { suites: ['checkout'], publicBadges: true };
  expect((await world.admin('PUT', '/gates/checkout', policy)).status).toBe(200);
  await page.goto('/gates/checkout/trends.svg?days=90&theme=dark');
  const opacity = "getComputedStyle(document.querySelector('.band')).opacity";
  expect(Number(await page.evaluate(opacity))).toBeLessThan(1);
  await page.screenshot({ path: 'test/output/trends-picture.png' });
  await page.goto('/gates/checkout/badge.svg');
  await page.screenshot({ path: 'test/output/badge.png', clip: { x: 0, y: 0, width: 400, height: 60 } });
  expect(visitor.faults).toEqual([]);
});
