/**
 * Has a build scored: uploads the bytes, asks for the score, and waits for the verdict. What comes back counts only if it
 * is about exactly what was asked.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { finishedScoreSchema, runningScoreSchema } from '../gate/disclosure/disclosed.ts';
import { type Change, digestSchema, type Priority, type ScoreRequest } from '../gate/gate.ts';
import type { VisibleTests } from '../gate/visible-report.ts';
import type { Build } from './build.ts';
import { type Client, json } from './client.ts';
import { CommandError } from './errors.ts';

/** A newer service may tell more. */
export const finishedAnswerSchema = finishedScoreSchema.loose();
const scoreSchema = z.discriminatedUnion('state', [runningScoreSchema.loose(), finishedAnswerSchema]);
export type Score = z.infer<typeof scoreSchema>;
export type FinishedScore = z.infer<typeof finishedAnswerSchema>;

const uploadSchema = z.object({ digest: digestSchema });

/** One request waits at most so long: proxies cut longer ones off. */
const requestSecondsMax = 50;
const pollMs = 500;

export type ScoreOrder = {
  gate: string;
  change: Change;
  build: Build;
  priority?: Priority | undefined;
  /** How the tests that the author sees came out. */
  visibleTests?: VisibleTests | undefined;
  /** How long to wait for the verdict in all, in seconds. */
  waitSeconds: number;
  idempotencyKey?: string | undefined;
};

/** The score: finished, or still running when the wait is over. Throws CommandError. */
export async function scoreBuild(client: Client, order: ScoreOrder): Promise<Score> {
  const { gate, change, build, priority = 'change', visibleTests, idempotencyKey } = order;
  const until = performance.now() + order.waitSeconds * 1_000;
  await upload(client, build);
  const waitSeconds = Math.min(order.waitSeconds, requestSecondsMax);
  const request: ScoreRequest = { gate, change, candidate: { digest: build.digest }, priority, visibleTests };
  let score = await client.ask(
    {
      method: 'POST',
      path: ['score'],
      headers: {
        prefer: waitSeconds > 0 ? `wait=${waitSeconds}` : 'respond-async',
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      },
      body: json(request),
      waitMs: waitSeconds * 1_000,
    },
    scoreSchema,
  );
  while (score.state === 'running' && performance.now() < until) {
    await sleep(Math.min(pollMs, until - performance.now()));
    score = await readScore(client, score.id);
  }
  requireSameQuestion(score, order);
  return score;
}

/** A score as the client's role may see it. Throws CommandError. */
export async function readScore(client: Client, id: string): Promise<Score> {
  return client.ask({ method: 'GET', path: ['scores', id] }, scoreSchema);
}

/** Stores a build, and sees that it is the same there. Throws CommandError. */
export async function upload(client: Client, { bytes, digest }: Build): Promise<void> {
  const body = { type: 'application/octet-stream' as const, content: bytes };
  const stored = await client.ask({ method: 'POST', path: ['candidates'], body }, uploadSchema);
  if (stored.digest !== digest) throw anotherAnswer(`stored ${stored.digest} instead of ${digest}`);
}

/** A verdict on another gate, change, commit or build is no verdict on this one. */
function requireSameQuestion(score: Score, { gate, change, build }: ScoreOrder): void {
  if (score.gate !== gate) throw anotherAnswer(`answered for gate ${score.gate}`);
  if (score.change.id !== change.id || score.change.commit !== change.commit) {
    throw anotherAnswer(`answered for change ${score.change.id}, commit ${score.change.commit}`);
  }
  if (score.candidate.digest !== build.digest) throw anotherAnswer(`answered for ${score.candidate.digest}`);
}

function anotherAnswer(what: string): CommandError {
  return new CommandError(
    'service',
    'answer_about_something_else',
    `the service ${what}: there is no verdict`,
  );
}
