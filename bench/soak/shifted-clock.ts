/**
 * Loaded before a node (`--import`): its clock jumps at each SIGUSR2, forwards and back, as clocks do that are set. What counts time
 * by `performance.now()` does not see it.
 */
const stepsMs = [3_600_000, -7_200_000, 3_600_000, 86_400_000, -86_400_000, -5_000, 5_000];

const Real = Date;
let turn = 0;
let shiftMs = 0;

class ShiftedDate extends Real {
  constructor(...given: [] | [number | string | Date]) {
    super(given.length === 0 ? Real.now() + shiftMs : given[0]);
  }

  static override now(): number {
    return Real.now() + shiftMs;
  }
}

// Dates of more parts than one are not made by a node with its own clock.
globalThis.Date = new Proxy(Real, {
  construct: (_, given) =>
    given.length > 1 ? Reflect.construct(Real, given) : Reflect.construct(ShiftedDate, given),
  get: (target, name) => (name === 'now' ? ShiftedDate.now : Reflect.get(target, name)),
});

process.on('SIGUSR2', () => {
  shiftMs += stepsMs[turn++ % stepsMs.length] ?? 0;
});
