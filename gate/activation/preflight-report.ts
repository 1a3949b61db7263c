/** What a preflight found, in words for the suite's author. One schema for the service and the command. */
import { z } from 'zod';
import { slugSchema } from '../../suites/suite.ts';

/** So many findings are told. */
export const preflightFindingsMax = 20;

export const preflightFindingSchema = z.strictObject({
  reference: z.string(),
  case: z.string().nullable().describe('The name of the case, if it is about one.'),
  kind: z
    .enum(['failed', 'passed', 'flaky'])
    .describe(
      '`failed`: a build that is right failed the case; `passed`: a build that is wrong was not blocked; `flaky`: the case went now one way, now the other.',
    ),
  detail: z.string(),
});
export type PreflightFinding = z.infer<typeof preflightFindingSchema>;

export const preflightSchema = z.strictObject({
  suite: slugSchema,
  revision: z.int().positive(),
  runner: z.string().describe('The version of what ran and graded the builds.'),
  rounds: z.int().positive(),
  references: z
    .int()
    .nonnegative()
    .describe('How many builds the revision holds. With none, nothing was run.'),
  passed: z.boolean(),
  findings: z.array(preflightFindingSchema).max(preflightFindingsMax),
  more: z.int().nonnegative().describe('How many more findings there are.'),
  at: z.iso.datetime(),
});
export type Preflight = z.infer<typeof preflightSchema>;

/** What is said where a revision holds no build. */
export const unproven = 'it holds no reference build: nothing shows that a right build passes';

/** A finding in a line. */
export function tellPreflightFinding({ reference, case: name, kind, detail }: PreflightFinding): string {
  const about = name === null ? '' : `case ${JSON.stringify(name)}: `;
  const words = {
    failed: `reference ${reference}, which is right, failed`,
    passed: `reference ${reference}, which is wrong, was not blocked`,
    flaky: `reference ${reference}: flaky`,
  };
  return `${words[kind]}: ${about}${detail}`;
}
