/** The newest verdicts as a row of marks, the newest at the right: tall for a merge, short for a block, and told in words besides. */
import { html } from 'hono/html';
import type { RecentVerdict } from '../../gate/standing.ts';
import type { Html } from './html.ts';

/** So many marks make a full row. */
export const stripMax = 30;

const [step, width, height] = [7, 5, 22];

export function verdictStrip(newest: RecentVerdict[]): Html {
  const shown = newest.slice(0, stripMax);
  const merges = shown.filter(({ reason }) => reason === 'green' || reason === 'overridden').length;
  const marks = shown.map(({ reason }, index) => {
    const x = (stripMax - 1 - index) * step;
    const tall = reason === 'green' || reason === 'overridden' ? height : Math.round(height * 0.55);
    return html`<rect class="${lookOf(reason)}" x="${x}" y="${height - tall}" width="${width}" height="${tall}" rx="1"/>`;
  });
  const empty = Array.from(
    { length: stripMax - shown.length },
    (_, index) =>
      html`<rect class="none" x="${index * step}" y="${height - 2}" width="${width}" height="2"/>`,
  );
  return html`<svg class="strip" viewBox="0 0 ${stripMax * step - (step - width)} ${height}" role="img" aria-label="${merges} of the newest ${shown.length} verdicts are merges">${empty}${marks}</svg>`;
}

function lookOf(reason: RecentVerdict['reason']): string {
  if (reason === 'green') return 'good';
  return reason === 'red' ? 'bad' : 'warn';
}
