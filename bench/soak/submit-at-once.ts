/**
 * Ten thousand callers ask at once. As many are accepted as may wait, every other is told to come back later, and meanwhile the node
 * says that it lives.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { soakToken } from './fleet.ts';
import type { Part } from './part.ts';
import { type Ask, sourceOf, tally, toldSchema } from './traffic.ts';

const placesMax = 1_000;

/** So long the accepted scores may take, in milliseconds. */
const settleMs = 300_000;

type Answer = { status: number; retryAfter: string | undefined; text: string };

export const submitAtOnce: Part = {
  name: 'submit-at-once',
  what: 'submissions at once',
  count: 10_000,
  run: async (fleet, count) => {
    const queue = Math.max(10, Math.min(placesMax, Math.floor(count / 10)));
    const node = await fleet.startNode('api', { HOLDBACK_QUEUE: `${queue}` });
    await fleet.startNode('runner');
    await fleet.makeGate('submit-at-once');
    const before = residentMb(node.pid);
    let slowestMs = 0;
    let isOver = false;
    const watching = (async () => {
      while (!isOver) {
        const asked = performance.now();
        await fetch(`${node.address}/healthz`).catch(() => {});
        slowestMs = Math.max(slowestMs, performance.now() - asked);
        await sleep(100);
      }
    })();
    const answers = await Promise.all(
      Array.from({ length: count }, (_, number) => submit(node.address, number)),
    );
    isOver = true;
    await watching;
    const peak = residentMb(node.pid);
    const withStatus = (status: number) => answers.filter((answer) => answer.status === status);
    const accepted = withStatus(202).length + withStatus(200).length;
    const refused = withStatus(429);
    const broken: string[] = [];
    if (accepted + refused.length !== count) {
      const others = answers.filter(({ status }) => ![200, 202, 429].includes(status));
      const kinds = Map.groupBy(others, ({ status, text }) => (status === 0 ? text : `${status}`));
      const told = [...kinds].map(([kind, { length }]) => `${length} × ${kind}`).join(', ');
      broken.push(`${others.length} callers got neither a place nor a 429: ${told}`);
    }
    if (refused.some(({ retryAfter }) => retryAfter === undefined)) broken.push('a 429 without Retry-After');
    const told = new Map(
      answers.flatMap(({ status, text }, number) =>
        status < 300 ? [[number, toldSchema.parse(JSON.parse(text))] as const] : [],
      ),
    );
    const ask: Ask = (statement) => fleet.sql.unsafe(statement);
    const until = performance.now() + settleMs;
    let result = await tally(ask, 'submit-at-once', told);
    while (result.lost > 0 && performance.now() < until) {
      await sleep(1_000);
      result = await tally(ask, 'submit-at-once', told);
    }
    if (result.accepted !== accepted)
      broken.push(`${result.accepted} scores are kept, ${accepted} were accepted`);
    const notes = [
      `${accepted} accepted, ${refused.length} answered 429 with Retry-After`,
      `/healthz answered within ${slowestMs.toFixed(0)} ms at the slowest`,
      `the node took ${before.toFixed(0)} MB before and ${peak.toFixed(0)} MB after the rush`,
    ];
    return { faults: count, tally: result, notes, broken };
  },
};

/** Each caller has a connection of its own. */
function submit(address: string, number: number): Promise<Answer> {
  const body = JSON.stringify({
    gate: 'submit-at-once',
    change: { id: `${number}`, commit: `${number}` },
    candidate: { source: sourceOf(number, 0) },
  });
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve({ status: 0, retryAfter: undefined, text: error.message });
    const sent = request(
      `${address}/score`,
      {
        method: 'POST',
        agent: false,
        headers: {
          authorization: `Bearer ${soakToken}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          prefer: 'respond-async',
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', failed).on('end', () => {
          const retryAfter = response.headers['retry-after'];
          resolve({ status: response.statusCode ?? 0, retryAfter, text });
        });
      },
    );
    sent.on('error', failed).end(body);
  });
}

/** What a process has in memory, in MB. */
export function residentMb(pid: number): number {
  const [, kb] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return Number(kb) / 1_000;
}
