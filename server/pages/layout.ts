/**
 * What every page has around its content: the head, the navigation of what the reader's role may open, who is signed in.
 *
 * How to add a page: write `server/pages/thing-page.ts` with `thingPage(data): Html`, by `html` of `hono/html`, which escapes
 * whatever is put in (wrap names that somebody else chose in `nameOf`). Give it a route in `server/pages/routes/things.ts` with
 * `config.roles`, a zod schema of its query, and as its last line
 * `return showPage(request, reply, { title: 'Things', here: 'suites' }, thingPage(data))`; register the file in `pages.ts`. A
 * script is a file of `client/`, named in `scriptNames` of `assets.ts` and in `scripts` of `showPage`. Forms are `postForm`s: they carry the
 * token that says that they are ours. Styles stand in `style.css`; the policy of content allows no `style` attribute.
 */
import { html } from 'hono/html';
import type { Reader } from '../tokens.ts';
import { type ScriptName, scriptAddress, styleAddress } from './assets.ts';
import type { Html } from './html.ts';
import { nameOf, visible } from './name-of.ts';
import { postForm } from './post-form.ts';
import type { Visit } from './signed-in.ts';

/** The places of the navigation. */
const places = {
  overview: { path: '/ui/', label: 'Overview' },
  changes: { path: '/ui/changes', label: 'Changes' },
  suites: { path: '/ui/suites', label: 'Suites' },
  trends: { path: '/ui/trends', label: 'Trends' },
  audit: { path: '/ui/audit', label: 'Audit' },
} as const;
export type Place = keyof typeof places;

export type PageHead = {
  title: string;
  /** The place of the navigation that the page belongs to, if there is one. */
  here?: Place;
  scripts?: readonly ScriptName[];
};

/** A whole page; without a visit it is for somebody who is not signed in. */
export async function layout({ title, here, scripts = [] }: PageHead, visit: Visit | null, content: Html) {
  const [style, theme, ...others] = await Promise.all([
    styleAddress(),
    scriptAddress('theme'),
    ...scripts.map(scriptAddress),
  ]);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${visible(title)} · Holdback</title>
<link rel="stylesheet" href="${style}">
<script src="${theme}"></script>
${others.map((address) => html`<script src="${address}" defer></script>`)}
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
${visit === null ? '' : header(visit, here)}
<main id="content" tabindex="-1"${visit === null ? html` class="alone"` : ''}>
${content}
</main>
</body>
</html>
`;
}

/** Which places a reader may open: the audit tells of every gate and suite, so it is not for who is limited to some. */
function placesFor({ role, gates, suites }: Reader): Place[] {
  const everyone: Place[] = ['overview', 'changes', 'suites', 'trends'];
  const seesAudit = role !== 'author' && gates === null && suites === null;
  return seesAudit ? [...everyone, 'audit'] : everyone;
}

function header({ reader, name, csrf }: Visit, here: Place | undefined): Html {
  return html`<header class="bar">
<a class="brand" href="/ui/"><span class="mark" aria-hidden="true"></span>Holdback</a>
<nav aria-label="Main">
<ul>${placesFor(reader).map((place) => {
    const { path, label } = places[place];
    return html`<li><a href="${path}"${place === here ? html` aria-current="page"` : ''}>${label}</a></li>`;
  })}</ul>
</nav>
<div class="who">
<p><span class="role">${reader.role}</span> <span class="name">${nameOf(name)}</span></p>
<button class="quiet" type="button" data-theme-toggle hidden></button>
${postForm({ csrf, action: '/ui/sign-out' }, html`<button class="quiet">Sign out</button>`)}
</div>
</header>`;
}
