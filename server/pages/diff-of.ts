/**
 * What differs between two texts: one diff where they are alike enough to be compared line by line, else both beside each other. Signs and
 * words say which is which, colours only repeat it. The texts are anybody's.
 */
import { html } from 'hono/html';
import { type DiffLine, diffLines } from './diff-lines.ts';
import type { Html } from './html.ts';
import { visible } from './name-of.ts';

/** So many lines that are alike stay around those that differ; more between them are folded. */
const contextLines = 3;
/** A text of more lines than this is folded after them. */
const shownLines = 24;

/** What the two texts are: what a case expected and what was observed, or how something was and how it has become. */
export type DiffKind = 'contrast' | 'change';
const words = {
  contrast: { before: 'expected', after: 'observed' },
  change: { before: 'before', after: 'after' },
} as const;

type Texts = { before?: string | undefined; after?: string | undefined };

/** Nothing where there is neither text. `label` says to screen readers what the texts are of. */
export function diffOf({ before, after }: Texts, kind: DiffKind, label = 'Compared'): Html | '' {
  if (before === undefined && after === undefined) return '';
  const lines = before === undefined || after === undefined ? undefined : diffLines(before, after);
  if (lines === undefined) {
    const blocks = [
      before === undefined ? '' : textBlock(kind, 'before', before),
      after === undefined ? '' : textBlock(kind, 'after', after),
    ];
    return blocks.includes('') ? html`${blocks}` : html`<div class="beside">${blocks}</div>`;
  }
  const names = words[kind];
  return html`<div class="diff ${kind}">
<p class="diff-key"><span class="before"><b>−</b> ${names.before}</span> <span class="after"><b>+</b> ${names.after}</span></p>
<div class="lines" role="region" tabindex="0" aria-label="${visible(label)}">${foldedRuns(lines, kind)}</div>
</div>`;
}

/** Lines that are alike are folded where there are many of them. */
function foldedRuns(lines: DiffLine[], diff: DiffKind): Html[] {
  const rowOf = (line: DiffLine) => lineOf(line, diff);
  const shown: Html[] = [];
  let start = 0;
  while (start < lines.length) {
    let end = start;
    while (end < lines.length && lines[end]?.kind === 'same') end++;
    if (end === start) {
      shown.push(...lines.slice(start, start + 1).map(rowOf));
      start++;
      continue;
    }
    const before = start === 0 ? 0 : contextLines;
    const after = end === lines.length ? 0 : contextLines;
    const hidden = end - start - before - after;
    const run = lines.slice(start, end);
    // A fold takes a line itself.
    if (hidden <= 2) shown.push(...run.map(rowOf));
    else {
      const middle = run.slice(before, before + hidden);
      shown.push(
        ...run.slice(0, before).map(rowOf),
        html`<details class="fold"><summary>${hidden} lines alike</summary>${middle.map(rowOf)}</details>`,
        ...run.slice(before + hidden).map(rowOf),
      );
    }
    start = end;
  }
  return shown;
}

const signs = { same: ' ', before: '−', after: '+' };

function lineOf({ kind, parts }: DiffLine, diff: DiffKind): Html {
  const isWhole = parts.every(({ isChanged }) => isChanged) || kind === 'same';
  const texts = parts.map(({ text, isChanged }) =>
    isChanged && !isWhole ? html`<mark>${visible(text)}</mark>` : visible(text),
  );
  const label = kind === 'same' ? '' : html`<span class="visually-hidden">${words[diff][kind]}: </span>`;
  return html`<div class="line ${kind}"><span class="sign" aria-hidden="true">${signs[kind]}</span>${label}<code>${texts}</code></div>`;
}

function textBlock(kind: DiffKind, which: 'before' | 'after', text: string): Html {
  const lines = text.split('\n');
  const rest = lines.slice(shownLines);
  const name = words[kind][which];
  const plain = (some: string[]) =>
    some.map((line) => html`<div class="line"><code>${visible(line)}</code></div>`);
  return html`<div class="diff ${kind}">
<p class="diff-key"><span class="${which}">${name}</span></p>
<div class="lines" role="region" tabindex="0" aria-label="${name}">${plain(lines.slice(0, shownLines))}${
    rest.length === 0
      ? ''
      : html`<details class="fold"><summary>${rest.length} more lines</summary>${plain(rest)}</details>`
  }</div>
</div>`;
}
