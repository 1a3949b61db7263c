/** Lets days pass in a moment. The clock goes on afterwards: one that stood still would lag behind the time that work takes. */
import { vi } from 'vitest';

/** Puts the clock of this process forward, by milliseconds, until `vi.unstubAllGlobals()`. Timers are real. */
export function putClockForward(byMs: number): void {
  const clock = Date;
  const now = () => clock.now() + byMs;
  const later = new Proxy(clock, {
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
    construct: (target, given) => Reflect.construct(target, given.length === 0 ? [now()] : given),
  });
  vi.stubGlobal('Date', later);
}
