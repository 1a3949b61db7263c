/**
 * A clock that runs while a host computes or sleeps, but not while it waits for a core: so a right build on a
 * busy machine does not become red, and neither spinning nor sleeping wins time.
 */

/** What was seen of a host since the last look, in milliseconds. */
export type UsageStep = {
  wallMs: number;
  /** Processor time of all its threads. */
  cpuMs: number;
  /** Whether some thread wanted a core, or waited for a disk, at this look. */
  wantsCore: boolean;
};

/** The operating system reports processor time in steps of this size, so a single look may err by as much. */
const stepMs = 10;

export class FairClock {
  #wallMs = 0;
  #waitedMs = 0;
  /** Processor time that was reported early: a tick may count what the next step will have used. */
  #aheadMs = 0;

  /** The host's own time so far, in milliseconds: what passed, less what it spent waiting for a core. */
  get ownMs(): number {
    return this.#wallMs - this.#waitedMs;
  }

  /**
   * Adds a look. While a thread wants a core, the time that no thread got was spent waiting. Several threads
   * may together use more than the wall's time; that does not make up for waiting at another moment.
   */
  advance({ wallMs, cpuMs, wantsCore }: UsageStep): void {
    this.#wallMs += wallMs;
    if (!wantsCore) return;
    const waitedMs = wallMs - cpuMs - this.#aheadMs;
    this.#aheadMs = Math.min(stepMs, Math.max(0, -waitedMs));
    this.#waitedMs += Math.max(0, waitedMs);
  }
}
