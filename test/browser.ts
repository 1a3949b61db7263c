/**
 * A real browser for a test file: one headless Chromium, which talks to this machine alone. Pages are looked at as people see them, in
 * both themes, on a desk and on a phone, and as those see them who cannot see: axe-core must find nothing serious.
 */
import { mkdir, readFile, rmdir, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import chromiumBinary from '@sparticuz/chromium';
import type { AxeResults } from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';

const output = fileURLToPath(new URL('output/', import.meta.url));
const axeSource = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** How every page is looked at: each size and each theme once, because a picture takes as long as the page itself. */
const sizes = {
  desktop: { viewport: { width: 1280, height: 800 }, theme: 'light' },
  phone: { viewport: { width: 375, height: 740 }, theme: 'dark' },
} as const;

/** Starts the browser; close it when the file ends. */
export async function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: await unpackBrowser(),
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Whoever held the lock longer than this was interrupted, in milliseconds. */
const unpackMsMax = 60_000;

/** The browser, unpacked by one process alone: others would start it while it is being written. */
async function unpackBrowser(): Promise<string> {
  const lock = join(tmpdir(), 'holdback-browser-lock');
  while (!(await makesFolder(lock))) {
    const heldSince = await stat(lock).catch(() => undefined);
    if (heldSince !== undefined && Date.now() - heldSince.mtimeMs > unpackMsMax)
      await rmdir(lock).catch(() => {});
    await sleep(50);
  }
  try {
    return await chromiumBinary.executablePath();
  } finally {
    await rmdir(lock);
  }
}

/** Whether it was made just now; of several who try at once, one makes it. */
async function makesFolder(path: string): Promise<boolean> {
  return mkdir(path).then(
    () => true,
    () => false,
  );
}

/** A visitor at a service, with nothing kept from before. Whatever would leave the service is refused, and scripts' errors are kept. */
export async function visit(
  browser: Browser,
  address: string,
): Promise<{ context: BrowserContext; page: Page; faults: string[] }> {
  const context = await browser.newContext({
    baseURL: address,
    viewport: sizes.desktop.viewport,
    reducedMotion: 'reduce',
  });
  await context.route(
    (url) => url.origin !== new URL(address).origin,
    (route) => route.abort(),
  );
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`${error}`));
  page.on('dialog', (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { context, page, faults };
}

/** Signs a visitor in with a token, by the form, as people do. */
export async function signIn(page: Page, token: string, to = '/ui/'): Promise<void> {
  await page.goto(to);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((url) => !url.pathname.startsWith('/ui/sign-in'));
}

/**
 * Looks at the page that is open, on a desk in light and on a phone in dark: a picture of it in `test/output/`, no sideways scrolling,
 * and nothing that axe-core calls serious or critical.
 */
export async function look(page: Page, name: string): Promise<void> {
  await mkdir(output, { recursive: true });
  for (const [size, { viewport, theme }] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme: theme });
    await page.screenshot({ path: `${output}${name}-${size}-${theme}.png`, fullPage: true });
    expect(await seriousFaults(page), `${name}, ${size}, ${theme}`).toEqual([]);
    const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    expect(overflow, `${name} is wider than a ${size}`).toBeLessThanOrEqual(0);
  }
  await page.setViewportSize(sizes.desktop.viewport);
  await page.emulateMedia({ colorScheme: 'light' });
}

/** What axe-core calls serious or critical on the page that is open. */
async function seriousFaults(page: Page): Promise<string[]> {
  // By the debugger, whom the page's policy does not bind as it binds the page.
  await page.evaluate(await axeSource);
  const results = await page.evaluate<AxeResults>('axe.run()');
  return results.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}
