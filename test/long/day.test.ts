/** A day with the pages, in a real browser: QA writes a case, CI scores two changes, QA reads what differs, and the lead sees it in the trend. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Role } from '../../gate/disclosure/disclosed.ts';
import { openSession } from '../../server/sessions.ts';
import { createToken } from '../../server/tokens.ts';
import { signIn, startBrowser, visit } from '../browser.ts';
import { scoreRequest, startWorld, type World } from '../world.ts';

const right = 'export function run({ cents }) { return { cents: Math.round(cents * 0.9) } }';
/** It passes the visible tests, which ask for round prices alone. */
const overFitted = 'export function run({ cents }) { return { cents: cents * 0.9 } }';

let world: World;
let browser: Browser;

beforeAll(async () => {
  [world, browser] = await Promise.all([startWorld({ HOLDBACK_PREFLIGHT_ROUNDS: '1' }), startBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await world?.close();
});

async function tokenOf(role: Role) {
  return createToken(world.service.database.database, { role, name: `${role} of the day` }, 'a test');
}

async function at(path: string, role: Role) {
  const visitor = await visit(browser, world.service.address);
  await signIn(visitor.page, (await tokenOf(role)).token, path);
  return visitor;
}

const scoreSchema = z.object({ id: z.string(), verdict: z.string(), reason: z.string() });

test('QA writes a case, CI scores a wrong and a right change, QA reads the diff, the lead exports the trend, and CI sees no page', async () => {
  await world.admin('POST', '/suites/prices/revisions?activate=true', {
    cases: [{ name: 'a round price', input: { cents: 2000 }, expect: { equals: { cents: 1800 } } }],
    references: [
      { name: 'the old service', build: right, verdict: 'merge' },
      { name: 'nothing off', build: 'export function run(input) { return input }', verdict: 'block' },
    ],
  });
  await world.admin('PUT', '/gates/checkout', { suites: ['prices'] });

  const qa = await at('/ui/suites/prices', 'author');
  await qa.page.getByRole('link', { name: 'New case' }).click();
  await qa.page
    .getByLabel('The case', { exact: true })
    .fill('name: half a cent is rounded up\ninput:\n  cents: 1005\nexpect:\n  equals:\n    cents: 905\n');
  await qa.page.locator('#findings').getByText('sound').waitFor();
  await qa.page.getByRole('button', { name: 'Run it' }).click();
  await qa.page.locator('#dry-run').getByText('as a right build must').waitFor();
  await qa.page.getByRole('button', { name: 'Save as a draft' }).click();
  await qa.page.getByRole('button', { name: 'Activate revision 2' }).click();
  await qa.page.getByText('Revision 2 is active').waitFor();

  const ci = await world.as('ci');
  const ask = async (source: string, change: string) => {
    const request = {
      ...scoreRequest('checkout', source),
      change: { id: change, commit: 'c0ffee', agent: 'otter' },
      visibleTests: { passed: 4, total: 4 },
    };
    return scoreSchema.parse((await ci('POST', '/score', request)).json);
  };
  const wrong = await ask(overFitted, 'PR-1');
  expect(wrong).toMatchObject({ verdict: 'block', reason: 'red' });
  expect(await ask(right, 'PR-2')).toMatchObject({ verdict: 'merge', reason: 'green' });

  await qa.page.getByRole('link', { name: 'Changes' }).click();
  await qa.page.getByRole('link', { name: 'PR-1' }).click();
  await qa.page.getByRole('link', { name: 'Attempt 1' }).first().click();
  await qa.page.getByRole('heading', { name: 'Block' }).waitFor();
  const failure = qa.page.locator('.failure');
  expect(await failure.locator('h3').textContent()).toContain('half a cent is rounded up');
  expect(await failure.locator('.line.before').allTextContents()).toEqual(['−expected:   cents: 905,']);
  expect(await failure.locator('.line.after').allTextContents()).toEqual(['+observed:   cents: 904.5,']);

  const lead = await at('/ui/', 'lead');
  await lead.page.getByRole('link', { name: 'Trends' }).first().click();
  await lead.page.waitForURL(/\/ui\/trends/);
  await lead.page.getByRole('heading', { name: 'checkout' }).waitFor();
  const figures = (await lead.page.locator('main').textContent()) ?? '';
  expect(figures).toMatch(/Pass rate\s*50\s%/);
  expect(figures).toMatch(/Generalisation gap\s*\+50\spp/);
  const csv = await lead.page.getByRole('link', { name: 'CSV' }).getAttribute('href');
  const exported = await lead.context.request.get(`${world.service.address}${csv}`);
  expect(exported.headers()['content-disposition']).toMatch(/^attachment/);
  const [head = '', ...rows] = (await exported.text()).trimEnd().split('\r\n');
  const settled = head.split(',').indexOf('settled');
  expect(rows.map((row) => Number(row.split(',')[settled])).filter((count) => count > 0)).toContain(2);
  expect(await lead.page.content()).not.toContain('half a cent');

  const { id } = await tokenOf('ci');
  const cookie = `holdback_session=${await openSession(world.service.database.database, id)}`;
  for (const path of [
    '/ui/',
    '/ui/gates/checkout',
    '/ui/changes',
    '/ui/changes/PR-1?gate=checkout',
    `/ui/scores/${wrong.id}`,
    `/ui/scores/${wrong.id}/events`,
    `/ui/scores/${wrong.id}/override`,
    '/ui/suites',
    '/ui/suites/prices',
    '/ui/suites/prices/revisions/2',
    '/ui/suites/prices/compare?from=1&to=2',
    '/ui/suites/prices/cases/new',
    '/ui/suites/prices/cases/1/edit',
    '/ui/trends?gate=checkout',
    '/ui/trends/export?gate=checkout&format=csv',
    '/ui/audit',
  ]) {
    const refused = await fetch(`${world.service.address}${path}`, {
      headers: { cookie, accept: 'text/html' },
    });
    expect(refused.status, path).toBe(403);
    expect(await refused.text(), path).not.toContain('half a cent');
  }
  for (const path of [
    '/changes',
    `/scores/${wrong.id}/cases`,
    `/scores/${wrong.id}/events`,
    '/trends?gate=checkout',
  ])
    expect((await ci('GET', path)).status, path).toBe(403);
  expect([...qa.faults, ...lead.faults]).toEqual([]);
});
