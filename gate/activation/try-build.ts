/**
 * Whether a build can be run by the cases of a suite at all: it compiles, loads, and exports what they call. So its author hears of a slip
 * when the suite is checked, and not only from a preflight.
 */
import type { TryBuild } from '../../suites/authoring/read-suite.ts';
import { stepsOf } from '../../suites/case.ts';
import { observe } from '../scoring/observe.ts';
import type { ReferenceObserving } from '../scoring/observe-references.ts';

/** Tries builds on these runners. What a build makes of the cases besides is not looked at. */
export function buildTrier(parts: ReferenceObserving): TryBuild {
  return async (build, { cases, limits }) => {
    const transformed = await parts.transformer.transform(build);
    if (!transformed.ok) return `it does not compile: ${transformed.detail}`;
    // One case for each set of exports: loading is the same in all of them.
    const asked = new Map(cases.map((testCase) => [callsOf(testCase), testCase]));
    const once = { cases: [...asked.values()].slice(0, casesMax), limits };
    const observed = await observe({ ...parts, hostsPerScore: 1 }, transformed, once, 1);
    for (const { observation } of observed) {
      if (observation.outcome !== 'crashed') continue;
      const { detail = '' } = observation;
      if (/^the module (?:exports no function|threw while it loaded)/.test(detail)) return detail;
    }
    return '';
  };
}

const casesMax = 20;

function callsOf(testCase: Parameters<typeof stepsOf>[0]): string {
  return JSON.stringify([...new Set(stepsOf(testCase).map(({ call }) => call))].sort());
}
