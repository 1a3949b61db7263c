/**
 * Answers on their way to the parent. The thread that makes them puts them into shared memory, and the main thread, which no
 * candidate can hold up, sends them a few times in a hundredth of a second: each sending wakes the parent, which shares our
 * cores. So what was observed reaches the parent even if a later case never ends.
 */
import { writeSync } from 'node:fs';

const channelFd = 3;
const bytesMax = 4 << 20;

/** Positions in the head: who holds the outbox (0 for nobody), and how many bytes wait in it. */
const lock = 0;
const waiting = 1;
const headBytes = 8;

export type OutboxMemory = SharedArrayBuffer;

export function makeOutboxMemory(): OutboxMemory {
  return new SharedArrayBuffer(headBytes + bytesMax);
}

/** One end of the outbox; both threads make one over the same memory. */
export class Outbox {
  readonly #head: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #encoder = new TextEncoder();

  constructor(memory: OutboxMemory) {
    this.#head = new Int32Array(memory, 0, 2);
    this.#bytes = new Uint8Array(memory, headBytes);
  }

  /** Puts a line in; it is sent at the next `send` of either end. Throws where it is several, of which some would speak for the host. */
  put(line: string): void {
    if (line.includes('\n')) throw new Error('an answer is one line');
    const text = `${line}\n`;
    // A character takes at most three bytes in UTF-8.
    if (text.length * 3 > bytesMax) {
      this.send();
      writeAll(this.#encoder.encode(text));
      return;
    }
    if (this.#room() < text.length * 3) this.send();
    this.#alone(() => {
      const start = this.#head[waiting] ?? 0;
      const { written } = this.#encoder.encodeInto(text, this.#bytes.subarray(start));
      this.#head[waiting] = start + written;
    });
  }

  /** Sends what waits. */
  send(): void {
    this.#alone(() => {
      const end = this.#head[waiting] ?? 0;
      if (end > 0) writeAll(this.#bytes.subarray(0, end));
      this.#head[waiting] = 0;
    });
  }

  #room(): number {
    return this.#bytes.length - Atomics.load(this.#head, waiting);
  }

  /** The two threads take turns. Neither runs foreign code meanwhile, so the other's turn always ends. */
  #alone(action: () => void): void {
    while (Atomics.compareExchange(this.#head, lock, 0, 1) !== 0) Atomics.wait(this.#head, lock, 1, 1);
    try {
      action();
    } finally {
      Atomics.store(this.#head, lock, 0);
      Atomics.notify(this.#head, lock);
    }
  }
}

function writeAll(bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length; ) sent += writeSync(channelFd, bytes, sent);
}
