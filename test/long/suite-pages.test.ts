/** The pages of suites, in a real browser: an author's way from a case to an active revision, and what a lead sees of it. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Role } from '../../gate/disclosure/disclosed.ts';
import type { TokenRequest } from '../../server/token.ts';
import { createToken } from '../../server/tokens.ts';
import { look, signIn, startBrowser, visit } from '../browser.ts';
import { startWorld, type World } from '../world.ts';

const right = `export function run({ code, cents }) {
  if (code === 'SAVE10') return { cents: Math.round(cents * 0.9), applied: true };
  return { cents, applied: false };
}`;
/** It knows the one price that the visible tests ask about. */
const wrong = `export function run({ code, cents }) {
  if (code === 'SAVE10' && cents === 2000) return { cents: 1800, applied: true };
  return { cents, applied: false };
}`;
const hostile = `<img src=x onerror="globalThis.hacked=1">"'\`\${7*7}</textarea><script>globalThis.hacked=1</script>\u202e`;
const secret = 'half a cent is rounded up';
const suite = {
  cases: [
    {
      name: secret,
      input: { code: 'SAVE10', cents: 1005 },
      expect: { equals: { cents: 905, applied: true } },
      tags: ['rounding'],
      owner: 'ana',
    },
    {
      name: 'an unknown code changes nothing',
      input: { code: 'NOPE', cents: 700 },
      expect: { matches: { cents: 700 } },
    },
    {
      name: hostile,
      input: { code: hostile, cents: 1 },
      expect: { equals: { cents: 1, applied: false } },
      tags: [hostile],
    },
    {
      name: 'free is free',
      input: { code: 'SAVE10', cents: 0 },
      expect: { matches: { cents: 0 } },
      expires: '2031-01-31',
    },
  ],
  references: [
    { name: 'the old service', build: right, verdict: 'merge' },
    { name: 'over-fitted', build: wrong, verdict: 'block' },
  ],
};

let world: World;
let browser: Browser;

beforeAll(async () => {
  [world, browser] = await Promise.all([startWorld({ HOLDBACK_PREFLIGHT_ROUNDS: '1' }), startBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await world?.close();
});

async function tokenOf(role: Role, more: Partial<TokenRequest> = {}): Promise<string> {
  const request = { role, name: `a test's ${role}`, ...more };
  return (await createToken(world.service.database.database, request, 'a test')).token;
}

/** Somebody who is signed in, at a page. */
async function at(path: string, role: Role, more?: Partial<TokenRequest>) {
  const visitor = await visit(browser, world.service.address);
  await signIn(visitor.page, await tokenOf(role, more), path);
  return visitor;
}

/** That nothing that was planted has run, and no script of the page has failed. */
async function expectQuiet(page: Page, faults: string[]): Promise<void> {
  expect(await page.evaluate('globalThis.hacked')).toBeUndefined();
  expect(faults).toEqual([]);
}

describe('suites', () => {
  test('where there is none, the page says how to push one', async () => {
    const { context, page } = await at('/ui/suites', 'author');
    await expect(page.locator('main').textContent()).resolves.toContain('holdback suite push');
    await look(page, 'suites-empty');
    await context.close();
  });

  test('an author writes a case, tries it, saves it, compares and activates it', async () => {
    const pushed = await world.admin('POST', '/suites/discounts/revisions?activate=true', suite);
    expect(pushed.status, pushed.text).toBe(201);
    await world.admin('PUT', '/gates/checkout', { suites: ['discounts'], exposureBudgetBits: 8 });
    const { context, page, faults } = await at('/ui/suites', 'author', { owner: 'ana' });
    await look(page, 'suites');
    await page.getByRole('link', { name: 'discounts' }).click();
    await page.getByRole('heading', { name: 'discounts' }).waitFor();
    expect(await page.locator('main').textContent()).toContain(secret);
    await look(page, 'suite');
    await page.getByRole('link', { name: 'New case' }).click();

    const text = page.getByLabel('The case', { exact: true });
    await text.fill('name: one cent\ninput:\n  code: SAVE10\n  cents: 5\nexpect:\n  equal:\n    cents: 4\n');
    await page.locator('#findings').getByText('did you mean equals?').waitFor();
    expect(await page.locator('#findings').textContent()).toContain('line 6, column 3');
    expect(await page.locator('.pce-line.wrong').count()).toBe(1);
    await look(page, 'case-editor-finding');
    await text.fill(
      'name: five cents\ninput:\n  code: SAVE10\n  cents: 5\nexpect:\n  equals:\n    cents: 5\n    applied: true\n',
    );
    await page.locator('#findings').getByText('sound').waitFor();
    await page.getByRole('button', { name: 'Run it' }).click();
    const runs = page.locator('#dry-run .run');
    await runs.first().waitFor();
    expect(await runs.allTextContents()).toEqual([
      expect.stringMatching(/the old service\s+right\s+passed as a right build must/),
      expect.stringMatching(/over-fitted\s+wrong\s+did not pass so this case catches it/),
    ]);

    await page.getByRole('button', { name: 'Save as a draft' }).click();
    await page.getByRole('heading', { name: 'From revision 1 to 2' }).waitFor();
    expect(await page.locator('.compared').allTextContents()).toEqual([
      expect.stringContaining('five cents'),
    ]);
    await page.getByRole('button', { name: 'Activate revision 2' }).click();
    await page.getByRole('heading', { name: 'discounts' }).waitFor();
    expect(await page.locator('main').textContent()).toContain('Revision 2 is active');
    await expectQuiet(page, faults);
    await context.close();
  });

  test('an author changes a case, and reads what changed and what speaks against it', async () => {
    const { context, page, faults } = await at('/ui/suites/discounts', 'author', { owner: 'ben' });
    await page.getByRole('link', { name: secret }).click();
    const text = page.getByLabel('The case', { exact: true });
    await text.fill((await text.inputValue()).replace('cents: 905', 'cents: 904'));
    await page.getByRole('button', { name: 'Run it' }).click();
    await page.locator('#dry-run .diff').first().waitFor();
    expect(await page.locator('#dry-run').textContent()).toContain('though it is right');
    await look(page, 'case-editor-wrong');
    await page.getByRole('button', { name: 'Save as a draft' }).click();
    await page.getByRole('heading', { name: 'From revision 2 to 3' }).waitFor();
    expect(await page.locator('.compared .line.before').allTextContents()).toEqual([
      '−before:     cents: 905',
    ]);
    expect(await page.locator('.compared .line.after').allTextContents()).toEqual(['+after:     cents: 904']);
    await look(page, 'compare');
    await page.getByRole('button', { name: 'Activate revision 3' }).click();
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('alert').textContent()).toContain(
      'reference the old service, which is right, failed',
    );
    await look(page, 'revision-refused');
    await expectQuiet(page, faults);
    await context.close();
  });

  test('what was written is not lost when somebody else was faster: it goes into their revision, and they are shown', async () => {
    const { context, page, faults } = await at('/ui/suites/discounts', 'author', { owner: 'ana' });
    await page.getByRole('link', { name: 'an unknown code changes nothing' }).click();
    const text = page.getByLabel('The case', { exact: true });
    const mine =
      'name: an unknown code changes nothing\ninput: {code: NOPE, cents: 900}\nexpect: {matches: {cents: 900}}\n';
    await text.fill(mine);
    const theirs = await world.admin('POST', '/suites/discounts/cases', {
      text: 'name: an unknown code changes nothing\ninput: {code: NOPE, cents: 800}\nexpect: {matches: {cents: 800}}',
      form: 'yaml',
      replaces: 'an unknown code changes nothing',
      revision: 2,
    });
    expect(theirs.json, theirs.text).toMatchObject({ revision: 4 });
    await page.getByRole('button', { name: 'Save as a draft' }).click();
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('alert').textContent()).toContain(
      'Revision 4 was made meanwhile by HOLDBACK_ADMIN_TOKEN',
    );
    expect(await page.getByRole('alert').locator('.line.after').allTextContents()).toContain(
      '+after:   cents: 800',
    );
    expect(await page.getByLabel('The case', { exact: true }).inputValue()).toBe(mine);
    await look(page, 'case-editor-overtaken');
    await page.getByRole('button', { name: 'Save as a draft' }).click();
    await page.getByRole('heading', { name: 'From revision 2 to 5' }).waitFor();
    await expectQuiet(page, faults);
    await context.close();
  });

  test('without scripts the same form checks, runs, and saves', async () => {
    const context = await browser.newContext({ baseURL: world.service.address, javaScriptEnabled: false });
    const page = await context.newPage();
    await signIn(page, await tokenOf('author'), '/ui/suites/discounts/cases/new');
    const text = page.getByLabel('The case', { exact: true });
    await text.fill('name: no script\ninput: {code: SAVE10, cents: 50}\nexpect: {equal: 1}');
    await page.getByRole('button', { name: 'Check' }).click();
    expect(await page.locator('#findings').textContent()).toContain('line 3, column 10');
    await text.fill(
      'name: no script\ninput: {code: SAVE10, cents: 50}\nexpect: {equals: {cents: 45, applied: true}}',
    );
    await page.getByText('On another build').click();
    await page
      .getByLabel('One module that exports run(input)')
      .fill('export const run = () => ({ cents: 45, applied: true })');
    await page.getByRole('button', { name: 'Run it' }).click();
    expect(await page.locator('#dry-run').textContent()).toMatch(/The build that you gave\s+passed/);
    await page.getByRole('button', { name: 'Save as a draft' }).click();
    await page.getByRole('heading', { name: 'From revision 2 to 6' }).waitFor();
    expect(await page.locator('main').textContent()).toContain('no script');
    await context.close();
  });

  test('an author reviews and retires, looks at references and strength, and goes back', async () => {
    const { context, page, faults } = await at('/ui/suites/discounts/revisions/6', 'author', {
      owner: 'cyd',
    });
    await page.getByText('Review it').click();
    await page.getByLabel('What you want to say of it').fill(hostile);
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('approved', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Run the preflight' }).click();
    await page.getByText('Every reference behaved').waitFor();
    await page.getByRole('button', { name: 'Measure it' }).click();
    await expect
      .poll(
        async () => {
          await page
            .getByRole('link', { name: 'Look again' })
            .click({ timeout: 500 })
            .catch(() => {});
          return page.locator('main').textContent();
        },
        { timeout: 30_000 },
      )
      .toContain('mutants are killed');
    await look(page, 'revision');
    await page.getByRole('button', { name: 'Activate' }).click();
    await page.getByText('Revision 6 is active').waitFor();
    await page.getByRole('checkbox', { name: 'Select free is free' }).check();
    await page.getByText('Retire selected cases').click();
    await page.getByLabel('Why, for other authors').fill('nobody asks that');
    await page.getByRole('button', { name: 'Make a draft without them' }).click();
    await page.getByRole('heading', { name: 'From revision 6 to 7' }).waitFor();
    expect(await page.locator('.compared').allTextContents()).toEqual([
      expect.stringMatching(/free is free removed/),
    ]);
    await page.goto('/ui/suites/discounts/revisions/1');
    await page.getByRole('button', { name: 'Go back to it' }).click();
    await page.getByText('Revision 1 is active').waitFor();
    await look(page, 'suite-with-history');
    await expectQuiet(page, faults);
    await context.close();
  });

  test('a case that code belongs to is shown, and its author is sent to the file of the suite', async () => {
    const module = `export default { cases: [{ name: 'pure code', input: 1, expect: (output) => output === ${JSON.stringify(hostile)} }] }`;
    const pushed = await world.admin('POST', '/suites/coded/revisions?activate=true', { module });
    expect(pushed.status, pushed.text).toBe(201);
    const { context, page, faults } = await at('/ui/suites/coded/cases/0/edit', 'author');
    expect(await page.locator('main').textContent()).toContain('holdback suite push');
    expect(await page.getByRole('button', { name: 'Save as a draft' }).count()).toBe(0);
    await expectQuiet(page, faults);
    await context.close();
  });
});

describe('who may see what', () => {
  test('a lead sees suites and revisions, and of a case its number alone', async () => {
    const { context, page } = await at('/ui/suites', 'lead');
    for (const path of ['/ui/suites', '/ui/suites/discounts', '/ui/suites/discounts/revisions/6']) {
      await page.goto(path);
      const source = await page.content();
      expect(source).toContain('discounts');
      for (const hidden of [
        secret,
        'SAVE10',
        'free is free',
        'the old service',
        'over-fitted',
        'rounding',
        'nobody asks that',
        'onerror',
      ]) {
        expect(source, `${path} tells ${hidden}`).not.toContain(hidden);
      }
      if (path.endsWith('discounts')) await look(page, 'suite-lead');
    }
    for (const path of ['cases/new', 'cases/0/edit', 'compare?from=1&to=2']) {
      expect((await page.goto(`/ui/suites/discounts/${path}`))?.status()).toBe(403);
    }
    await context.close();
  });

  test('a token for other suites opens none of this one', async () => {
    const { context, page } = await at('/ui/suites', 'author', { suites: ['coded'] });
    expect(await page.locator('main').textContent()).not.toContain('discounts');
    for (const path of ['', '/revisions/1', '/cases/new', '/cases/0/edit', '/compare?from=1&to=2']) {
      expect((await page.goto(`/ui/suites/discounts${path}`))?.status()).toBe(403);
    }
    await context.close();
  });

  test('whoever reads cases on pages is recorded, as on the API', async () => {
    const { context, page } = await at('/ui/suites', 'author', { name: 'the reader' });
    const count = async () =>
      (await world.admin('GET', '/audit?limit=1000')).text.split('revision.read').length;
    for (const path of ['', '/revisions/2', '/cases/new', '/cases/0/edit']) {
      const before = await count();
      await page.goto(`/ui/suites/discounts${path}`);
      expect(await count(), path).toBeGreaterThan(before);
    }
    // Whoever is too late is shown what somebody else made meanwhile.
    const csrf = await page.locator('#editor input[name="csrf"]').inputValue();
    const text = 'name: too late\ninput: {code: LATE, cents: 1}\nexpect: {matches: {cents: 1}}';
    const late = await context.request.post('/ui/suites/discounts/cases', {
      form: { csrf, text, form: 'yaml', revision: '2', newest: '2', at: '0', do: 'save' },
      headers: { origin: world.service.address },
    });
    expect(late.status()).toBe(409);
    const { records } = Object((await world.admin('GET', '/audit?limit=1000')).json);
    const { action, about } = JSON.parse(records.at(-1).entry);
    expect([action, about.revision > 2]).toEqual(['revision.read', true]);
    await context.close();
  });
});

test('the script of the editor is less than 100 KB', async () => {
  const { context, page } = await at('/ui/suites/discounts/cases/new', 'author');
  const addresses = await page.evaluate<string[]>(
    '[...document.querySelectorAll("script[src]")].map((one) => one.src)',
  );
  const sizes = await Promise.all(
    addresses.map(async (address) => (await (await fetch(address)).arrayBuffer()).byteLength),
  );
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(100_000);
  await context.close();
});
