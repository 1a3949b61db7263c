/** Who may read which trend: on the API and on the pages alike. */
import { hearsInSlots } from '../gate/disclosure/disclosure.ts';
import { GateError } from '../gate/errors.ts';
import { findSuitesEver } from '../gate/policies.ts';
import type { TrendQuestion } from '../gate/trends/trend.ts';
import type { TrendReader } from '../gate/trends/trends.ts';
import type { Database } from '../migrations/open-database.ts';
import { SuiteError } from '../suites/errors.ts';
import { findUnknownSuites } from '../suites/revisions.ts';
import { requireGate, requireSuite } from './access.ts';
import type { Reader } from './tokens.ts';

/**
 * Throws where the token does not reach the gate or the suite that is asked about, and where there is none. A gate's verdicts tell of
 * all suites that it has ever had, so a token that is limited to suites has to reach each of them.
 */
export async function requireTrend(
  database: Database,
  reader: Reader,
  { gate, suite }: Pick<TrendQuestion, 'gate' | 'suite'>,
): Promise<void> {
  if (suite !== undefined) {
    requireSuite(reader, suite);
    if ((await findUnknownSuites(database, [suite])).length > 0)
      throw new SuiteError('suite_not_found', `there is no suite ${suite}`);
  }
  if (gate !== undefined) {
    requireGate(reader, gate);
    const suites = await findSuitesEver(database, gate);
    if (suites.length === 0) throw new GateError('gate_not_found', `there is no gate ${gate}`);
    for (const each of suites) requireSuite(reader, each);
  }
}

/** What of a trend's attempts a reader may know, and when. `slotMs` is the length of the service's slots. */
export function trendReaderOf(reader: Reader, slotMs: number): TrendReader {
  return { gates: reader.gates, slotMs: hearsInSlots(reader) ? slotMs : undefined };
}
