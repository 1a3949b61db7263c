/** Tells how far a score has come, and puts the page with its verdict in place of this one when there is one. */
import type { ScoreState } from '../../../gate/scoring/progress.ts';

/** Where the stream ends without a verdict, it is opened again after this long, in milliseconds. */
const againMs = 3_000;

const followed = document.querySelector<HTMLElement>('[data-follow]');
const address = followed?.dataset.follow;
if (followed !== null && address !== undefined) follow(followed, address);

function follow(panel: HTMLElement, address: string): void {
  const stage = panel.querySelector<HTMLElement>('[data-stage]');
  const bar = panel.querySelector<HTMLProgressElement>('[data-progress]');
  const source = new EventSource(address);
  source.addEventListener('state', ({ data }) => {
    // Our own service's, of the same version as this script.
    const state: ScoreState = JSON.parse(data);
    if (stage !== null) stage.textContent = wordsOf(state);
    if (bar !== null) show(bar, state);
  });
  source.addEventListener('verdict', () => {
    source.close();
    void swapIn();
  });
  source.addEventListener('error', () => {
    // The browser tries again by itself, unless it was refused.
    if (source.readyState !== EventSource.CLOSED) return;
    if (stage !== null) stage.textContent = 'How far it has come cannot be told now.';
    setTimeout(() => follow(panel, address), againMs * 10);
  });
}

function wordsOf(state: ScoreState): string {
  switch (state.state) {
    case 'waiting':
      return state.place === 1
        ? 'Waiting: it is the next.'
        : `Waiting for its turn: number ${state.place} in line.`;
    case 'preparing':
      return 'Opening the suites and reading the candidate.';
    case 'running':
      return `Running ${state.suite}: ${state.observed} of ${state.trials} trials have ended.`;
    case 'grading':
      return `Comparing what came of ${state.suite} with what it should be.`;
  }
}

function show(bar: HTMLProgressElement, state: ScoreState): void {
  bar.hidden = state.state !== 'running' && state.state !== 'grading';
  if (state.state !== 'running') return;
  bar.max = Math.max(1, state.trials);
  bar.value = state.observed;
}

/** Takes the content of the page as it is now. What it shows was escaped where it was made, and scripts in it would not run. */
async function swapIn(): Promise<void> {
  const response = await fetch(location.href, { headers: { accept: 'text/html' } }).catch(() => undefined);
  const content = document.getElementById('content');
  if (response === undefined || !response.ok || response.redirected || content === null) {
    location.reload();
    return;
  }
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  const fresh = page.getElementById('content');
  if (fresh === null || fresh.querySelector('[data-follow]') !== null) {
    setTimeout(() => location.reload(), againMs);
    return;
  }
  document.title = page.title;
  content.replaceChildren(...fresh.childNodes);
  announce(`The verdict is ${content.querySelector('h1')?.textContent ?? 'there'}.`);
}

/** Says something to those who cannot see that the page has changed. */
function announce(text: string): void {
  const status = document.createElement('p');
  status.className = 'visually-hidden';
  status.role = 'status';
  document.body.append(status);
  // A region is read out when its text changes, not when it comes with one.
  setTimeout(() => {
    status.textContent = text;
  }, 100);
}
