/** Timers that wait in virtual time only. */
import { type Clock, withGlobal } from '@sinonjs/fake-timers';

/** A clock at `startMs`, whose timers fire only when it is told to go on to the next one. */
export function createTimers(startMs: number): Clock {
  // The library imitates the timers it is shown. Shown ones that return objects, its own have ref() and unref()
  // as Node's have.
  const native = () => ({});
  const shown = { Date, setTimeout: native, setInterval: native, setImmediate: native };
  return withGlobal({
    ...shown,
    clearTimeout: native,
    clearInterval: native,
    clearImmediate: native,
  }).createClock(startMs);
}
