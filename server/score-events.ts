/**
 * A score as it is being made, told as server-sent events: `state` while there is no verdict, then `verdict`, and the end. For people
 * who hear of verdicts at once; nobody else is told how far a score has come. A stream that is not read is told less, never held.
 */
import { Readable } from 'node:stream';
import { z } from 'zod';
import { decisionOf, hearsInSlots } from '../gate/disclosure/disclosure.ts';
import { findScore, type ScoreRecord } from '../gate/history.ts';
import { findOverride } from '../gate/overrides.ts';
import type { Submissions } from '../gate/submit.ts';
import type { Database, OpenDatabase } from '../migrations/open-database.ts';
import { RequestError } from './problems.ts';
import type { Reader } from './tokens.ts';

/** So many streams are open at once, of one token and in all. */
const streamsPerTokenMax = 8;
const streamsMax = 200;

/** A stream on which nothing happens says that it is there, so that nothing between takes it for dead, in milliseconds. */
const heartbeatMs = 15_000;

/** A stream ends after this long; whoever is still there asks again, and is asked for a token again. */
const streamMsMax = 15 * 60_000;

/** So much may wait to be read; what comes then is left out, because the next says it all. */
const unreadBytesMax = 16 << 10;

export const eventStream = 'text/event-stream; charset=utf-8';
export const eventsSchema = z.custom<Readable>((body) => body instanceof Readable);

export class ScoreEvents {
  readonly #submissions: Submissions;
  readonly #database: Database;
  readonly #durability: OpenDatabase['durability'];
  readonly #open = new Map<Readable, string>();

  constructor(
    submissions: Submissions,
    { database, durability }: Pick<OpenDatabase, 'database' | 'durability'>,
  ) {
    this.#submissions = submissions;
    this.#database = database;
    this.#durability = durability;
  }

  /** The events of a score for a reader. Throws `role_forbidden` and `suite_forbidden` where they are not for them, and `rate_limited`. */
  open(score: ScoreRecord, reader: Reader): Readable {
    requireAtOnce(reader);
    const own = [...this.#open.values()].filter((tokenId) => tokenId === reader.tokenId);
    if (own.length >= streamsPerTokenMax || this.#open.size >= streamsMax) {
      throw new RequestError('rate_limited', 'too many scores are being followed: end another, or ask later');
    }
    const following = new AbortController();
    const stream = new Readable({
      read() {},
      destroy: (error, done) => {
        following.abort();
        clearInterval(heartbeat);
        clearTimeout(end);
        this.#open.delete(stream);
        done(error);
      },
    });
    const heartbeat = setInterval(() => stream.push(': here\n\n'), heartbeatMs);
    const end = setTimeout(() => stream.push(null), streamMsMax);
    this.#open.set(stream, reader.tokenId);
    this.#tell(stream, score.id, following.signal).catch((error: unknown) => {
      stream.destroy(error instanceof Error ? error : new Error('a score could not be followed'));
    });
    return stream;
  }

  /** Ends every stream. */
  close(): void {
    for (const stream of this.#open.keys()) stream.destroy();
  }

  async #tell(stream: Readable, id: string, signal: AbortSignal): Promise<void> {
    for await (const state of this.#submissions.follow(id, signal)) {
      if (signal.aborted) return;
      if (stream.readableLength < unreadBytesMax) stream.push(event('state', state));
    }
    if (signal.aborted) return;
    const score = await findScore(this.#database, id);
    const decision = decisionOf(score, await findOverride(this.#database, score));
    await this.#durability.settled();
    if (signal.aborted) return;
    stream.push(event('verdict', decision));
    stream.push(null);
  }
}

function requireAtOnce(reader: Reader): void {
  if (!hearsInSlots(reader)) return;
  if (reader.suites === null)
    throw new RequestError('role_forbidden', `how far a score has come is not for ${reader.role}`);
  throw new RequestError(
    'suite_forbidden',
    'how far a score has come tells of every suite, and the token is limited to some: use one that is not',
  );
}

function event(name: 'state' | 'verdict', data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
