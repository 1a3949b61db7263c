/**
 * Callers as CI has them, while the fleet is broken: each asks for a score under a key of its own, and asks again, of whichever node
 * answers, until it has a verdict. Which candidates are right is known beforehand, so every verdict can be judged.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type Fleet, soakToken } from './fleet.ts';

/** Whoever has no verdict so long after the last fault has lost it, in milliseconds. */
const settleMs = 150_000;

export const toldSchema = z.object({
  id: z.uuid(),
  state: z.enum(['running', 'finished']),
  verdict: z.enum(['merge', 'block']).optional(),
  reason: z.string().optional(),
});
type Told = z.infer<typeof toldSchema>;

/** What became of a part's scores. */
export const tallySchema = z.object({
  accepted: z.number(),
  merged: z.number(),
  red: z.number(),
  /** Allowed where something of ours was broken, and told as what it is. */
  indeterminate: z.number(),
  /** Accepted, and without a verdict in the end. */
  lost: z.number(),
  /** Scores with two verdicts, keys with two scores, and verdicts that were told otherwise than they are kept. */
  duplicate: z.number(),
  /** Right and red. */
  wrong: z.number(),
  /** Wrong and merged. */
  falseGreens: z.number(),
});
export type Tally = z.infer<typeof tallySchema>;

export type TrafficOptions = {
  gate: string;
  /** How many callers there are; each waits for its verdict before it asks for the next. */
  callers: number;
  /** How many turns of a loop a candidate takes, 100,000 a unit: about a millisecond each. */
  work?: number;
  /** How long a caller rests between two scores, in milliseconds. */
  restMs?: number;
};

export class Traffic {
  readonly #fleet: Fleet;
  readonly #options: TrafficOptions;
  readonly #told = new Map<number, Told>();
  readonly #stopping = new AbortController();
  #asked = 0;
  #deadline = Number.POSITIVE_INFINITY;
  #callers: Promise<unknown> = Promise.resolve();

  constructor(fleet: Fleet, options: TrafficOptions) {
    this.#fleet = fleet;
    this.#options = options;
  }

  start(): void {
    this.#callers = Promise.all(Array.from({ length: this.#options.callers }, () => this.#call()));
  }

  /** How many have heard their verdict. */
  get finished(): number {
    return [...this.#told.values()].filter(({ state }) => state === 'finished').length;
  }

  /** Waits until so many more have heard their verdict, so that faults do not outrun the work. */
  async more(count: number): Promise<void> {
    for (const from = this.finished; this.finished < from + count; ) await sleep(20);
  }

  /** Lets those under way end, and judges all. */
  async end(ask: Ask = (statement) => this.#fleet.sql.unsafe(statement)): Promise<Tally> {
    this.#stopping.abort();
    this.#deadline = performance.now() + settleMs;
    await this.#callers;
    return tally(ask, this.#options.gate, this.#told);
  }

  async #call(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const number = this.#asked++;
      for (;;) {
        const told = await this.#ask(number);
        if (told !== undefined) this.#told.set(number, told);
        if (told?.state === 'finished' || performance.now() > this.#deadline) break;
        if (told === undefined) await sleep(100);
      }
      await sleep(this.#options.restMs ?? 0);
    }
  }

  /** Undefined where no node answered, or none could. */
  async #ask(number: number): Promise<Told | undefined> {
    const { addresses } = this.#fleet;
    const address = addresses[Math.floor(Math.random() * addresses.length)];
    const { gate, work } = this.#options;
    return address === undefined ? undefined : askForScore(address, gate, number, work);
  }
}

export function isRight(number: number): boolean {
  return number % 2 === 0;
}

export function sourceOf(number: number, work: number): string {
  const step = isRight(number) ? 1 : 2;
  return `export const run = (x) => { let s = 0; for (let i = 0; i < ${work}e5; i++) s += i % 7; return x + (s < 0 ? 0 : ${step}) } // ${number}`;
}

/** Asks for the score of a candidate by its number, and waits a while. Undefined where there is no answer, or an error that passes. */
export async function askForScore(
  address: string,
  gate: string,
  number: number,
  work = 0,
  wait = 'wait=10',
): Promise<Told | undefined> {
  try {
    const response = await fetch(`${address}/score`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${soakToken}`,
        'content-type': 'application/json',
        'idempotency-key': `${gate}-${number}`,
        prefer: wait,
      },
      body: JSON.stringify({
        gate,
        change: { id: `${number}`, commit: `${number}` },
        candidate: { source: sourceOf(number, work) },
      }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    return response.ok ? toldSchema.parse(JSON.parse(text)) : undefined;
  } catch {
    return undefined;
  }
}

const rowSchema = z.object({
  number: z.coerce.number(),
  id: z.uuid(),
  verdicts: z.coerce.number(),
  verdict: z.string().nullable(),
  reason: z.string().nullable(),
});

/** Asks the database that keeps the scores, past the service. */
export type Ask = (statement: string) => Promise<unknown>;

/** Judges every score of a gate by what is kept, and what callers were told by the same. */
export async function tally(ask: Ask, gate: string, told: ReadonlyMap<number, Told>): Promise<Tally> {
  const rows = z.array(rowSchema).parse(
    await ask(`
      SELECT s.change_id AS number, s.id, count(v.score_id) AS verdicts, min(v.verdict) AS verdict, min(v.reason) AS reason
      FROM scores AS s LEFT JOIN verdicts AS v ON v.score_id = s.id WHERE s.gate = '${gate}' GROUP BY s.id`),
  );
  const count = (is: (row: z.infer<typeof rowSchema>) => boolean) => rows.filter(is).length;
  const kept = new Map(rows.map((row) => [row.id, row]));
  const answers = [...told.values()];
  const otherwise = answers.filter(({ id, verdict, reason }) => {
    const row = kept.get(id);
    return verdict !== undefined && (row?.verdict !== verdict || row.reason !== reason);
  });
  const gone = answers.filter(({ id }) => !kept.has(id));
  return {
    accepted: rows.length,
    merged: count(({ verdict }) => verdict === 'merge'),
    red: count(({ reason }) => reason === 'red'),
    indeterminate: count(({ reason }) => reason === 'indeterminate'),
    lost: count(({ verdicts }) => verdicts === 0) + gone.length,
    duplicate:
      count(({ verdicts }) => verdicts > 1) +
      (rows.length - new Set(rows.map(({ number }) => number)).size) +
      otherwise.length,
    wrong:
      count(({ number, reason }) => isRight(number) && reason === 'red') +
      count(
        ({ verdict, reason }) =>
          verdict !== null && !['green', 'red', 'indeterminate'].includes(reason ?? ''),
      ),
    falseGreens: count(({ number, verdict }) => !isRight(number) && verdict === 'merge'),
  };
}
