/**
 * A score as it is being made, told as server-sent events: `state` while there is no verdict, then `verdict`, and the end. For people
 * who hear of verdicts at once; nobody else is told how far a score has come. A stream that is not read is told less, never held, and one
 * whose token is good no more ends in a moment.
 */
import { Readable } from 'node:stream';
import { z } from 'zod';
import { decisionOf, hearsInSlots } from '../gate/disclosure/disclosure.ts';
import { findScore, type ScoreRecord } from '../gate/history.ts';
import { findOverride } from '../gate/overrides.ts';
import type { Submissions } from '../gate/submit.ts';
import type { Database, OpenDatabase } from '../migrations/open-database.ts';
import { RequestError } from './problems.ts';
import { isGood, type Reader } from './tokens.ts';

/** So many streams are open at once, of one token and in all. */
const streamsPerTokenMax = 8;
const streamsMax = 200;

/**
 * So often a stream says that it is there, so that nothing between takes it for dead, and it is looked whether its token is still good;
 * in milliseconds.
 */
const heartbeatMs = 5_000;

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
    const beat = async () => {
      if (!(await isGood(this.#database, reader.tokenId))) stream.destroy();
      else if (!stream.destroyed) stream.push(': here\n\n');
    };
    // One for which that cannot be known ends too, and may be opened again.
    const heartbeat = setInterval(() => void beat().catch(() => stream.destroy()), heartbeatMs);
    const end = setTimeout(() => stream.push(null), streamMsMax);
    this.#open.set(stream, reader.tokenId);
    this.#tell(stream, score.id, reader.tokenId, following.signal).catch((error: unknown) => {
      stream.destroy(error instanceof Error ? error : new Error('a score could not be followed'));
    });
    return stream;
  }

  /** Ends every stream. */
  close(): void {
    for (const stream of this.#open.keys()) stream.destroy();
  }

  async #tell(stream: Readable, id: string, tokenId: string, signal: AbortSignal): Promise<void> {
    for await (const state of this.#submissions.follow(id, signal)) {
      if (signal.aborted) return;
      if (stream.readableLength < unreadBytesMax) stream.push(event('state', state));
    }
    if (signal.aborted) return;
    const score = await findScore(this.#database, id);
    const decision = decisionOf(score, await findOverride(this.#database, score));
    await this.#durability.settled();
    const maySee = await isGood(this.#database, tokenId);
    if (signal.aborted) return;
    if (maySee) stream.push(event('verdict', decision));
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
