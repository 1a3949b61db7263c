/**
 * What was expected beside what was observed: one diff where they are alike enough to be compared line by line, else two texts. Signs and
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

type Contrast = { expected?: string | undefined; observed?: string | undefined };

/** Nothing where there is neither text. */
export function diffOf({ expected, observed }: Contrast): Html | '' {
  if (observed === undefined) return expected === undefined ? '' : textBlock('Expected', expected);
  if (expected === undefined) return textBlock('Observed', observed);
  const lines = diffLines(expected, observed);
  if (lines === undefined) {
    return html`<div class="beside">${textBlock('Expected', expected)}${textBlock('Observed', observed)}</div>`;
  }
  return html`<div class="diff">
<p class="diff-key"><span class="expected"><b>−</b> expected</span> <span class="observed"><b>+</b> observed</span></p>
<div class="lines" role="region" tabindex="0" aria-label="Expected and observed, compared">${foldedRuns(lines)}</div>
</div>`;
}

/** Lines that are alike are folded where there are many of them. */
function foldedRuns(lines: DiffLine[]): Html[] {
  const shown: Html[] = [];
  let start = 0;
  while (start < lines.length) {
    let end = start;
    while (end < lines.length && lines[end]?.kind === 'same') end++;
    if (end === start) {
      shown.push(lineOf(lines[start]));
      start++;
      continue;
    }
    const before = start === 0 ? 0 : contextLines;
    const after = end === lines.length ? 0 : contextLines;
    const hidden = end - start - before - after;
    const run = lines.slice(start, end);
    // A fold takes a line itself.
    if (hidden <= 2) shown.push(...run.map(lineOf));
    else {
      const middle = run.slice(before, before + hidden);
      shown.push(
        ...run.slice(0, before).map(lineOf),
        html`<details class="fold"><summary>${hidden} lines alike</summary>${middle.map(lineOf)}</details>`,
        ...run.slice(before + hidden).map(lineOf),
      );
    }
    start = end;
  }
  return shown;
}

const signs = { same: ' ', expected: '−', observed: '+' };

function lineOf(line: DiffLine | undefined): Html {
  if (line === undefined) return html``;
  const { kind, parts } = line;
  const isWhole = parts.every(({ isChanged }) => isChanged) || kind === 'same';
  const words = parts.map(({ text, isChanged }) =>
    isChanged && !isWhole ? html`<mark>${visible(text)}</mark>` : visible(text),
  );
  const label = kind === 'same' ? '' : html`<span class="visually-hidden">${kind}: </span>`;
  return html`<div class="line ${kind}"><span class="sign" aria-hidden="true">${signs[kind]}</span>${label}<code>${words}</code></div>`;
}

function textBlock(label: string, text: string): Html {
  const lines = text.split('\n');
  const rest = lines.slice(shownLines);
  const kind = label === 'Expected' ? 'expected' : 'observed';
  const plain = (some: string[]) =>
    some.map((line) => html`<div class="line"><code>${visible(line)}</code></div>`);
  return html`<div class="diff ${kind}">
<p class="diff-key"><span class="${kind}">${label}</span></p>
<div class="lines" role="region" tabindex="0" aria-label="${label}">${plain(lines.slice(0, shownLines))}${
    rest.length === 0
      ? ''
      : html`<details class="fold"><summary>${rest.length} more lines</summary>${plain(rest)}</details>`
  }</div>
</div>`;
}
