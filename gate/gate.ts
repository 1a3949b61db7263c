/** The nouns around a gate: its policy, a change, a candidate, a request to score. One schema each. */
import { z } from 'zod';
import { slugSchema } from '../suites/suite.ts';
import { visibleReportSchema } from './visible-report.ts';

/** What PostgreSQL can store and every reader can show: no U+0000, no lone surrogates. */
export function wellFormed(charsMax: number) {
  return z
    .string()
    .min(1)
    .max(charsMax)
    .refine((text) => text.isWellFormed() && !text.includes('\0'), {
      error: 'must be well-formed Unicode without U+0000',
    });
}

/** What a gate lets `ci` and `harness` learn, from the least to the most. */
export const disclosures = ['verdict', 'counts', 'names'] as const;
export type Disclosure = (typeof disclosures)[number];

/** A gate's own bound on how many of its scores run at once is at most this. */
export const concurrencyMax = 64;

/** Who may merge what: which suites a merge needs, and how often it may be tried. */
export const gatePolicySchema = z.strictObject({
  suites: z
    .array(slugSchema)
    .min(1)
    .max(50)
    .refine((suites) => new Set(suites).size === suites.length, { error: 'a suite is named twice' }),
  attemptsPerChange: z
    .int()
    .positive()
    .max(1_000_000)
    .default(20)
    .describe(
      'How many candidates of one change of one repository may be scored, whoever asks, until fresh cases are activated.',
    ),
  exposureBudgetBits: z
    .number()
    .positive()
    .max(1_000_000)
    .optional()
    .describe(
      'How many bits disclosed verdicts may teach about a case before its suite needs fresh cases; without it, any number.',
    ),
  disclosure: z
    .enum(disclosures)
    .default('verdict')
    .describe(
      'What ci and harness may learn: the verdict and a coarse reason; how many cases passed besides; or the names of those that failed. More costs more exposure.',
    ),
  overrideApprovals: z
    .union([z.literal(1), z.literal(2)])
    .default(1)
    .describe('How many people must agree to let a blocked commit merge.'),
  minimumStrength: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      'The share of the mutants of a good reference that a revision must kill before it is activated; without it, any.',
    ),
  review: z
    .boolean()
    .default(false)
    .describe('Whether a second person must approve a revision of its suites before it is activated.'),
  publicBadges: z
    .boolean()
    .default(false)
    .describe(
      'Whether its badge and the picture of its trend are shown to everybody, without a token. They tell verdicts alone.',
    ),
  concurrency: z
    .int()
    .positive()
    .max(concurrencyMax)
    .optional()
    .describe(
      'How many of its scores may run at once, on all nodes together; without it, as many as the nodes run.',
    ),
});
export type GatePolicy = z.infer<typeof gatePolicySchema>;
/** A policy as it is asked for: what is left out is as usual. */
export type GatePolicyRequest = z.input<typeof gatePolicySchema>;

/** A gate with its policy in force. `activeRevision` is null where a suite has none, and then nothing merges. */
export const gateSchema = gatePolicySchema.extend({
  gate: slugSchema,
  version: z.int().positive(),
  active: z.array(z.strictObject({ suite: slugSchema, activeRevision: z.int().positive().nullable() })),
  updatedAt: z.iso.datetime(),
});
export type Gate = z.infer<typeof gateSchema>;

/** What somebody wants to merge. */
export const changeSchema = z.strictObject({
  id: wellFormed(300).describe('The pull request, for example.'),
  commit: wellFormed(200),
  repository: wellFormed(300).optional(),
  author: wellFormed(300).optional(),
  agent: wellFormed(300).optional(),
  model: wellFormed(300).optional(),
});
export type Change = z.infer<typeof changeSchema>;

export const digestSchema = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, 'a digest is sha256: and 64 hexadecimal digits');

/** The build to score: its text, or the digest of one uploaded before. */
const candidateSchema = z.union(
  [
    z.strictObject({
      source: z
        .string()
        .min(1)
        .refine((text) => text.isWellFormed(), { error: 'must be well-formed Unicode' }),
    }),
    z.strictObject({ digest: digestSchema }),
  ],
  { error: 'a candidate is {source: "…"} or {digest: "sha256:…"}' },
);

/** Whose turn comes first, from the last to the first. */
export const priorities = ['draft', 'change', 'merge-queue'] as const;
export const prioritySchema = z.enum(priorities);
export type Priority = z.infer<typeof prioritySchema>;

export const scoreRequestSchema = z.strictObject({
  gate: slugSchema,
  change: changeSchema,
  candidate: candidateSchema,
  priority: prioritySchema
    .default('change')
    .describe('What waits for the verdict: a merge queue comes before changes, and these before drafts.'),
  visibleTests: visibleReportSchema
    .optional()
    .describe(
      'How the tests that the author sees came out. Decides nothing; trends tell the gap to the holdback.',
    ),
});
export type ScoreRequest = z.infer<typeof scoreRequestSchema>;
