/** How a revision stands, in a word: its colour and shape only repeat it. */
import { html } from 'hono/html';
import type { Revision } from '../../suites/suite.ts';
import type { Html } from './html.ts';

const looks: Record<Revision['state'], string> = {
  active: 'good',
  reviewed: 'warn',
  draft: 'warn',
  superseded: 'plain',
};

export function revisionState(state: Revision['state']): Html {
  return html`<span class="badge ${looks[state]}">${state}</span>`;
}
