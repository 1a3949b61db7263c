/** The clock by which builds are held to their deadlines: waiting for a core is free, everything else is not. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FairClock, type UsageStep } from '../runners/fair-clock.ts';

/** Processor time is reported in steps of this size, in milliseconds, so one look may err by as much. */
const tickMs = 10;

function ownMsAfter(steps: UsageStep[]): number {
  const clock = new FairClock();
  for (const step of steps) clock.advance(step);
  return clock.ownMs;
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

const wallMs = fc.nat({ max: 1_000 });

const anyStep: fc.Arbitrary<UsageStep> = fc.record({
  wallMs,
  cpuMs: fc.nat({ max: 4_000 }),
  wantsCore: fc.boolean(),
});
const anySteps = fc.array(anyStep, { maxLength: 50 });

const sleeping = wallMs.map((ms) => ({ wallMs: ms, cpuMs: 0, wantsCore: false }));
const spinning = wallMs.map((ms) => ({ wallMs: ms, cpuMs: ms, wantsCore: true }));
const starved = wallMs.map((ms) => ({ wallMs: ms, cpuMs: 0, wantsCore: true }));
/** Several threads at once: more processor time than the wall's. */
const crowded = fc
  .record({ wallMs, threads: fc.integer({ min: 2, max: 16 }), wantsCore: fc.boolean() })
  .map(({ wallMs: ms, threads, wantsCore }) => ({ wallMs: ms, cpuMs: ms * threads, wantsCore }));

test('starts at zero', () => {
  expect(new FairClock().ownMs).toBe(0);
});

test("never shows more than the wall's time, and never less than none", () => {
  fc.assert(
    fc.property(anySteps, (steps) => {
      const ownMs = ownMsAfter(steps);
      expect(ownMs).toBeLessThanOrEqual(sum(steps.map((step) => step.wallMs)));
      expect(ownMs).toBeGreaterThanOrEqual(0);
    }),
  );
});

test('never runs backwards', () => {
  fc.assert(
    fc.property(anySteps, (steps) => {
      const clock = new FairClock();
      for (const step of steps) {
        const before = clock.ownMs;
        clock.advance(step);
        expect(clock.ownMs).toBeGreaterThanOrEqual(before);
      }
    }),
  );
});

test('does not count the time in which a host waited for a core', () => {
  fc.assert(
    fc.property(fc.array(starved, { maxLength: 50 }), (steps) => {
      expect(ownMsAfter(steps)).toBe(0);
    }),
  );
});

test('does not count waiting that comes between computing and sleeping, but for one tick', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(spinning, sleeping, starved), { maxLength: 50 }), (steps) => {
      const waitedMs = sum(steps.map((step) => (step.wantsCore ? step.wallMs - step.cpuMs : 0)));
      const ownMs = sum(steps.map((step) => step.wallMs)) - waitedMs;
      expect(Math.abs(ownMsAfter(steps) - ownMs)).toBeLessThanOrEqual(tickMs);
    }),
  );
});

test('counts sleeping and spinning in full, in whatever order', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(sleeping, spinning, crowded), { maxLength: 50 }), (steps) => {
      expect(ownMsAfter(steps)).toBe(sum(steps.map((step) => step.wallMs)));
    }),
  );
});

test('counts computing in full though the system reports it late, but for one tick', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 25 }), { maxLength: 200 }), (walls) => {
      let trueMs = 0;
      let reportedMs = 0;
      const steps = walls.map((ms) => {
        trueMs += ms;
        const cpuMs = Math.floor(trueMs / tickMs) * tickMs - reportedMs;
        reportedMs += cpuMs;
        return { wallMs: ms, cpuMs, wantsCore: true };
      });
      expect(Math.abs(ownMsAfter(steps) - trueMs)).toBeLessThanOrEqual(tickMs);
    }),
  );
});

test('does not let the processor time of several threads make later waiting count, but for one tick', () => {
  fc.assert(
    fc.property(fc.array(crowded, { minLength: 1 }), fc.array(starved, { minLength: 1 }), (busy, waits) => {
      const afterMs = ownMsAfter([...busy, ...waits]) - ownMsAfter(busy);
      expect(afterMs).toBeLessThanOrEqual(tickMs);
    }),
  );
});

test('is not moved by a look at no time at all', () => {
  fc.assert(
    fc.property(anySteps, fc.boolean(), (steps, wantsCore) => {
      const still = { wallMs: 0, cpuMs: 0, wantsCore };
      const stilled = steps.flatMap((step) => [still, step, still]);
      expect(ownMsAfter(stilled)).toBe(ownMsAfter(steps));
    }),
  );
});

test('still shows a number, and goes on, after steps that go backwards', () => {
  const backward = fc.record({
    wallMs: fc.integer({ min: -100, max: 0 }),
    cpuMs: fc.integer({ min: -100, max: 0 }),
    wantsCore: fc.boolean(),
  });
  fc.assert(
    fc.property(anySteps, fc.array(backward, { maxLength: 5 }), fc.nat({ max: 9_999 }), (steps, back, ms) => {
      const clock = new FairClock();
      for (const step of [...steps, ...back]) clock.advance(step);
      const before = clock.ownMs;
      expect(before).not.toBeNaN();
      clock.advance({ wallMs: ms, cpuMs: 0, wantsCore: false });
      expect(clock.ownMs - before).toBe(ms);
    }),
  );
});
