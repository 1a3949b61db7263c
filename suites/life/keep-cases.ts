/**
 * A revision without some of its cases. What a module's cases have as functions is found by their positions among its cases; so the
 * module's text stays as it is, and what is kept of it is picked out around it.
 */
import type { SuiteContents } from '../suite.ts';

/** The contents with the cases at these positions alone, in this order. */
export function keepCases(contents: SuiteContents, positions: number[]): SuiteContents {
  const cases = positions.flatMap((position) => contents.cases[position] ?? []);
  const { script, ...rest } = contents;
  return script === undefined ? { ...rest, cases } : { ...rest, cases, script: pickCases(script, positions) };
}

/** A script that exports the cases at these positions of what the given one exports, as the body of a CommonJS function. */
function pickCases(script: string, positions: number[]): string {
  // Called as a function, so that one that returns early returns to here.
  return `(function (exports, module, require) {${script}
}).call(undefined, exports, module, require);
{
  const whole = module.exports;
  const lists = [whole?.default, whole?.suite, whole].map((each) => (Array.isArray(each) ? each : each?.cases));
  const cases = lists.find((each) => Array.isArray(each)) ?? [];
  module.exports = { cases: ${JSON.stringify(positions)}.map((position) => cases[position]) };
}`;
}
