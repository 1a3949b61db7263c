/**
 * When a verdict is published to those whom agents hear from: on the boundaries of time slots, counted from when the attempt was
 * accepted. Within a slot, how long a candidate ran cannot be told, so it is no channel.
 */

/** A verdict needs a little time to be written down, and that must not show either: a part of a slot, and at most so long. */
const marginShare = 0.2;
const marginMsMax = 200;

/** How long before the end of a slot a verdict has to be decided to be published there, in milliseconds. */
export function marginMs(slotMs: number): number {
  return Math.min(slotMs * marginShare, marginMsMax);
}

/** Writing down how one case ended takes less than this on a machine that is not overloaded, in milliseconds. */
const writingMsPerCase = 0.2;

/**
 * As of when a verdict on so many cases that is being decided now counts as decided: when it has been written down. That takes longer
 * the more cases there are, and the more of them failed, so that it would show if it were not allowed for.
 */
export function decidedWith(cases: number, now: Date, slotMs: number): Date {
  return slotMs === 0 ? now : new Date(now.getTime() + Math.ceil(cases * writingMsPerCase));
}

/**
 * Now, for an attempt that another machine may have accepted: its clock says no less than when the attempt was requested and the time
 * that was measured since. Where this machine's clock is behind, the verdict would be published in a slot that is over.
 */
export function nowSince(requestedAt: Date, elapsedMs: number): Date {
  return new Date(Math.max(Date.now(), requestedAt.getTime() + Math.ceil(elapsedMs)));
}

/** The slot, from 1, at whose end a verdict is published. Without slots (`slotMs` 0) each millisecond is one. */
export function slotOf(requestedAt: Date, decidedAt: Date, slotMs: number): number {
  const tookMs = Math.max(0, decidedAt.getTime() - requestedAt.getTime());
  if (slotMs === 0) return tookMs + 1;
  return Math.floor((tookMs + marginMs(slotMs)) / slotMs) + 1;
}

/** From when on `ci` and `harness` may read a verdict. */
export function publishedAt(requestedAt: Date, decidedAt: Date, slotMs: number): Date {
  if (slotMs === 0) return decidedAt;
  return new Date(requestedAt.getTime() + slotOf(requestedAt, decidedAt, slotMs) * slotMs);
}
