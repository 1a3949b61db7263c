/** Looks for the cases of revisions in a text: a file, a diff, an agent's memory, a candidate. */

import type { OpenedSuites } from '../opened-suites.ts';
import type { RevisionName } from '../revisions.ts';
import { endInTurns } from './in-steps.ts';
import type { Leaks } from './leaks.ts';
import { scanInSteps } from './scan-text.ts';

/** Where cases of these revisions turn up. Throws `revision_not_found` and `seal_broken`. */
export async function findLeaks(suites: OpenedSuites, names: RevisionName[], text: string): Promise<Leaks> {
  const leaks: Leaks = { findings: [], looked: [] };
  for (const { suite, revision } of names) {
    const fingerprints = await suites.fingerprints({ suite, revision });
    // What was published is there to be seen.
    const visible = await suites.published({ suite, revision });
    const { findings, found } = await endInTurns(scanInSteps(fingerprints, text, visible));
    const { cases, tooShort } = fingerprints;
    leaks.looked.push({ suite, revision, cases, tooShort, found });
    leaks.findings.push(...findings.map((finding) => ({ suite, revision, ...finding })));
  }
  return leaks;
}
