/** Suites, checks of them, and plans for them as people read them. */
import { type Preflight, tellPreflightFinding, unproven } from '../../gate/activation/preflight-report.ts';
import { casesMax, type Suite } from '../../suites/suite.ts';
import type { CheckedFile } from '../commands/suite-check.ts';
import type { SuitePlan } from '../commands/suite-plan.ts';
import { clip, printable } from '../printable.ts';
import { linesOf } from '../suite-refused.ts';
import { counted, numbered, percent } from './wording.ts';

const findingCharsMax = 500;

export function textOfCheck({ file, form, caseCount, findings, notes }: CheckedFile): string {
  if (findings.told.length > 0) return linesOf(findings).join('\n');
  if (form === 'sealed' && caseCount === null)
    return printable(`${file}: sealed. Only the service can read it.`);
  if (caseCount === null) return printable(`${file}: a module that bundles`);
  return [`${counted(caseCount)} of the right form`, ...notes]
    .map((line) => printable(`${file}: ${line}`))
    .join('\n');
}

/** What of the files nobody looked at. */
export function noteOfChecks(files: CheckedFile[]): string {
  const unasked = files.filter(({ complete }) => !complete);
  if (unasked.length === 0) return '';
  const what = unasked.some(({ form }) => form === 'module') ? 'the cases of modules, ' : '';
  return `the service was not asked: ${what}patterns, JSON Schemas, tagged values and ends of cases are not checked (set HOLDBACK_URL and HOLDBACK_TOKEN for that)`;
}

export function textOfPlan({ rate, attempts, bitsPerAttempt, confidence, cases, proves }: SuitePlan): string {
  const rows = proves.map((row) => `  ${`${row.cases}`.padStart(10)}   ${percent(row.rate)}`);
  const tooMany =
    cases > casesMax ? [`A suite holds at most ${casesMax}: disclose less, or renew its cases sooner.`] : [];
  return [
    `${counted(cases)}: when all of them pass, at most ${percent(rate)} of such inputs fail, with confidence ${percent(confidence)},`,
    `after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'} that disclosed ${bitsPerAttempt} bits each.`,
    ...tooMany,
    '',
    '       cases   of which a green proves a failure rate of at most',
    ...rows,
  ].join('\n');
}

export function textOfPreflight(preflight: Preflight): string {
  const { suite, revision, references, rounds, passed, findings, more, runner } = preflight;
  const what = `suite ${suite}, revision ${revision}`;
  if (references === 0) return printable(`${what}: ${unproven}`);
  const how = `${numbered(references, 'reference')}, ${numbered(rounds, 'round')} each (${runner})`;
  const told = findings.map((finding) => `  ${clip(tellPreflightFinding(finding), findingCharsMax)}`);
  return [
    `${what}: ${passed ? 'the references behave' : 'the references do not behave'}: ${how}`,
    ...told,
    ...(more > 0 ? [`  and ${more} more`] : []),
  ]
    .map(printable)
    .join('\n');
}

export function textOfSuite({ suite, activeRevision, revisions }: Suite): string {
  const active = revisions.find(({ revision }) => revision === activeRevision);
  const what =
    active === undefined
      ? 'no active revision'
      : `revision ${active.revision} active, ${counted(active.cases)}`;
  return `suite ${suite}: ${what}, ${revisions.length} in all`;
}
