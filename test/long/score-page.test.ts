/** The page of a score, as those who may open it see it: the verdict for all, what differs in failing cases for authors alone. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Role } from '../../gate/disclosure/disclosed.ts';
import { createToken } from '../../server/tokens.ts';
import { look, signIn, startBrowser, visit } from '../browser.ts';
import { scoreRequest, sealSuite, startWorld, type World } from '../world.ts';

let world: World;
let browser: Browser;

/** What would run, hide, turn around or spread out if it were not escaped. */
const hostile = `<img src=x onerror=alert(1)></script><script>alert(2)</script>\u2028\u202eevil\u0000${'wide'.repeat(400)}`;

const order = (total: number, more: object = {}) => ({
  customer: { id: 'c-1041', tier: 'gold', since: new Date('2024-02-29') },
  lines: Array.from({ length: 6 }, (_, at) => ({ sku: `SKU-${100 + at}`, quantity: at + 1, price: 12.5 })),
  total,
  ...more,
});

const source = (value: unknown) => JSON.stringify(value).replace(/"(2024-02-29[^"]*)"/, 'new Date("$1")');

const module = `export default { cases: [
  { name: 'a gold customer has a tenth off', input: 'gold', expect: { equals: ${source(order(236.25, { codes: ['SPRING', 'GOLD'], note: 'A tenth off, for gold customers' }))} } },
  { name: 'a code that is over', input: 'over', expect: { throws: { name: 'RangeError', message: 'is over' } } },
  { name: 'an amount', input: 'amount', expect: { closeTo: { value: 12.5, tolerance: 0.01 } } },
  { name: 'a letter', input: 'letter', expect: { equals: 'Dear customer,\\n\\nyour code SPRING takes 10 % off.\\nIt holds until the end of March.\\n\\nYours' } },
  { name: 'any amount', generate: (fc) => fc.record({ amount: fc.integer({ min: 1, max: 100000 }), code: fc.constant('SPRING') }), runs: 20, expect: (output) => output === null },
  { name: 'never ends', input: 'loop', expect: { equals: { ends: true } } },
  { name: ${JSON.stringify(hostile.slice(0, 480))}, input: 'hostile', expect: { equals: ${JSON.stringify(hostile)} } },
  { name: 'right', input: 'right', expect: { equals: 'right' } },
  { name: 'right too', input: 'right', expect: { equals: 'right' } },
], limits: { caseMs: 400 } }`;

const wrong = `const order = ${source(order(262.5, { codes: ['SPRING'], note: 'A twentieth off, for gold customers' }))};
export function run(input) {
  if (input === 'gold') return order;
  if (input === 'over') return { total: 12.5, code: 'WINTER' };
  if (input === 'amount') return 12.75;
  if (input === 'letter') return 'Dear customer,\\n\\nyour code SPRING takes 20 % off.\\nIt holds until the end of March.\\n\\nYours';
  if (input === 'loop') for (;;);
  if (input === 'hostile') throw new Error(${JSON.stringify(hostile)});
  if (typeof input === 'object') return { of: input };
  return 'right';
}`;

/** Each case takes a moment, so that there is something to see. */
const slow =
  'export function run(x) { let n = 0; for (let i = 0; i < 5e7; i++) n += i; return n < 0 ? n : x }';
const slowCases = 8;

let red: string;

beforeAll(async () => {
  [world, browser] = await Promise.all([startWorld({ HOLDBACK_CONCURRENCY: '1' }), startBrowser()]);
  await sealSuite(world, 'orders', { module });
  const cases = Array.from({ length: slowCases }, (_, at) => ({
    name: `case ${at}`,
    input: at,
    expect: { equals: at },
  }));
  await sealSuite(world, 'slow', { cases });
  red = await score('orders', wrong, {});
});
afterAll(async () => {
  await browser?.close();
  await world?.close();
});

async function score(gate: string, candidate: string, headers: Record<string, string>): Promise<string> {
  const change = {
    id: 'PR-1041',
    commit: '9f2c41d',
    repository: 'shop/checkout',
    author: hostile.replace('\u0000', '').slice(0, 100),
    agent: 'an agent',
    model: 'a model',
  };
  const request = { ...scoreRequest(gate, candidate), change };
  const { json, text } = await world.admin('POST', '/score', request, headers);
  return z.object({ id: z.string() }).parse(json, { error: () => text }).id;
}

async function signedIn(role: Role, to: string) {
  const { token } = await createToken(
    world.service.database.database,
    { role, name: `the ${role}` },
    'a test',
  );
  const visitor = await visit(browser, world.service.address);
  await signIn(visitor.page, token, to);
  return visitor;
}

/** Submits a slow score behind two others, so that it is looked at before it has a verdict. */
async function submitSlow(): Promise<string> {
  const nonce = () => `${slow} // ${Math.random()}`;
  for (let before = 0; before < 2; before++) await score('slow', nonce(), { prefer: 'respond-async' });
  return score('slow', nonce(), { prefer: 'respond-async' });
}

describe('the page of a red score', () => {
  test('shows an author what differs in each failing case, and runs nothing of what it shows', async () => {
    const { context, page, faults } = await signedIn('author', `/ui/scores/${red}`);
    expect(await page.locator('h1').textContent()).toBe('Block');
    const failures = page.locator('.failure');
    expect(await failures.count()).toBe(7);
    const letter = failures.filter({ has: page.locator('h3', { hasText: 'a letter' }) });
    expect(await letter.locator('.line').allTextContents()).toEqual([
      ' "Dear customer,\\n"',
      ' "\\n"',
      '−expected: "your code SPRING takes 10 % off.\\n"',
      '+observed: "your code SPRING takes 20 % off.\\n"',
      ' "It holds until the end of March.\\n"',
      ' "\\n"',
      ' "Yours"',
    ]);
    expect(await letter.locator('mark').allTextContents()).toEqual(['10', '20']);
    const generated = failures.filter({ has: page.locator('h3', { hasText: 'any amount' }) });
    expect(await generated.locator('pre.command').textContent()).toBe(`holdback replay ${red}`);
    // What was hostile is there to be read, every character of it.
    const text = (await page.locator('main').textContent()) ?? '';
    expect(text).toContain(
      '"<img src=x onerror=alert(1)></script><script>alert(2)</script>\\u{2028}\\u{202e}evil\\u0000wide',
    );
    expect(text).toContain('<script>alert(2)</script>⟨U+2028⟩⟨U+202E⟩evil');
    expect(text).not.toMatch(/[\u2028\u202e\0]/);
    expect(await page.locator('main img, main script').count()).toBe(0);
    await look(page, 'score-red-author');
    expect(faults).toEqual([]);
    await context.close();
  });

  test('shows a lead how it came out, nothing of what the cases are, and lets them override it', async () => {
    const { context, page, faults } = await signedIn('lead', `/ui/scores/${red}`);
    expect(await page.locator('.failure, .diff').count()).toBe(0);
    const text = (await page.locator('main').textContent()) ?? '';
    expect(text).not.toMatch(/gold customer|a letter|SPRING|expected|observed/);
    expect(await page.locator('#cases ~ .table tbody th').allTextContents()).toEqual(
      Array.from({ length: 9 }, (_, at) => `Case ${at + 1}`),
    );
    await look(page, 'score-red-lead');
    await page.getByRole('link', { name: 'Let it merge' }).click();
    await page.getByRole('heading', { level: 1 }).waitFor();
    const reason = '<b>known</b>, and harmless';
    await world.admin('POST', `/scores/${red}/override`, { reason });
    await page.goto(`/ui/scores/${red}`);
    expect(await page.locator('h1').textContent()).toBe('Merge');
    expect(await page.locator('.approvals').textContent()).toContain(reason);
    expect(faults).toEqual([]);
    await context.close();
  });
});

describe('the page of a score that is being made', () => {
  test('shows the verdict as soon as there is one, without being loaded again', async () => {
    const { context, page, faults } = await signedIn('lead', '/ui/');
    const id = await submitSlow();
    await page.goto(`/ui/scores/${id}`);
    await page.evaluate('globalThis.wasNotLoadedAgain = true');
    await page.getByRole('heading', { level: 1, name: 'Merge' }).waitFor();
    expect(await page.evaluate('globalThis.wasNotLoadedAgain')).toBe(true);
    expect(await page.title()).toContain('merge');
    await page.getByRole('status').filter({ hasText: 'The verdict is Merge.' }).waitFor();
    expect(faults).toEqual([]);
    await look(page, 'score-green-lead');
    await context.close();
  });

  test('tells how far it has come, and without scripts that it has to be loaded again', async () => {
    const { context, page } = await signedIn('author', '/ui/');
    const state = { state: 'running', suite: 'slow', observed: 5, trials: slowCases };
    await context.route('**/events', (route) =>
      route.fulfill({
        contentType: 'text/event-stream',
        body: `event: state\ndata: ${JSON.stringify(state)}\n\n`,
      }),
    );
    await page.goto(`/ui/scores/${await submitSlow()}`);
    await page.getByText('Running slow: 5 of 8 trials have ended.').waitFor();
    await look(page, 'score-running');
    const withoutScripts = await browser.newContext({
      baseURL: world.service.address,
      javaScriptEnabled: false,
      storageState: await context.storageState(),
    });
    const plain = await withoutScripts.newPage();
    await plain.goto(`/ui/scores/${await submitSlow()}`);
    await plain.getByRole('link', { name: 'Reload' }).waitFor();
    await withoutScripts.close();
    await context.close();
  });

  test('tells nothing to who hears in slots', async () => {
    const { database } = world.service.database;
    const request = { role: 'author' as const, name: 'of one suite', suites: ['slow'] };
    const { token } = await createToken(database, request, 'a test');
    const { context, page } = await visit(browser, world.service.address);
    await signIn(page, token);
    const id = await submitSlow();
    await page.goto(`/ui/scores/${id}`);
    expect(await page.locator('[data-follow]').count()).toBe(0);
    expect((await page.request.get(`/ui/scores/${id}/events`)).status()).toBe(403);
    await context.close();
  });
});
