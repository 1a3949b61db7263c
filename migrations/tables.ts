/**
 * The tables, as Drizzle sees them. The SQL in `sql/` is generated from here (`npm run migrations`), and a check holds
 * the two together. Scores, verdicts and suites are history: the database itself refuses to change or delete them. All it lets
 * change in a row of history is by whom its sealed bytes can be opened.
 */
import { isNotNull } from 'drizzle-orm';
import {
  bigint,
  boolean,
  customType,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';

const bytea = customType<{ data: Uint8Array; driverData: Uint8Array }>({
  dataType: () => 'bytea',
  // A plain view: PostgreSQL's driver hands out Buffers, PGlite Uint8Arrays.
  fromDriver: (bytes) => new Uint8Array(bytes),
});

const sequence = () => bigint('sequence', { mode: 'number' }).generatedAlwaysAsIdentity();
const time = (name: string) => timestamp(name, { withTimezone: true });

/** Who may ask: a token is stored as its SHA-256 alone. */
export const tokens = pgTable('tokens', {
  id: uuid('id').primaryKey(),
  role: text('role').notNull(),
  name: text('name').notNull(),
  /** Whose it is: two tokens of one owner are one person. */
  owner: text('owner'),
  /** The gates that the token is limited to; null for all. */
  gates: text('gates').array(),
  /** The suites that the token is limited to; null for all. */
  suites: text('suites').array(),
  sha256: text('sha256').notNull().unique(),
  createdAt: time('created_at').notNull().defaultNow(),
  createdBy: text('created_by'),
  expiresAt: time('expires_at'),
  lastUsedAt: time('last_used_at'),
  revokedAt: time('revoked_at'),
  revokedBy: text('revoked_by'),
});

/** Who is signed in at a browser: what its cookie holds is stored as its SHA-256 alone. Rows go when it ends: they are no history. */
export const sessions = pgTable(
  'sessions',
  {
    sha256: text('sha256').primaryKey(),
    tokenId: uuid('token_id').notNull(),
    createdAt: time('created_at').notNull().defaultNow(),
    expiresAt: time('expires_at').notNull(),
  },
  (table) => [index('sessions_expiry').on(table.expiresAt)],
);

/** What the service itself must keep secret, sealed like a suite. */
export const secrets = pgTable('secrets', {
  name: text('name').primaryKey(),
  sealed: bytea('sealed').notNull(),
  recipient: text('recipient').notNull(),
  createdAt: time('created_at').notNull().defaultNow(),
});

/** Every version of every gate's policy; the newest is in force. */
export const gatePolicies = pgTable(
  'gate_policies',
  {
    gate: text('gate').notNull(),
    version: integer('version').notNull(),
    suites: text('suites').array().notNull(),
    attemptsPerChange: integer('attempts_per_change'),
    exposureBudgetBits: doublePrecision('exposure_budget_bits'),
    disclosure: text('disclosure').notNull(),
    /** How many people must agree that a block be overridden. */
    overrideApprovals: integer('override_approvals').notNull().default(1),
    /** The share of mutants that a revision must kill before it is activated; null for any. */
    minimumStrength: doublePrecision('minimum_strength'),
    /** Whether a second person must approve a revision of its suites before it is activated. */
    review: boolean('review').notNull().default(false),
    /** Whether its badge and the picture of its trend are shown without a token. */
    publicBadges: boolean('public_badges').notNull().default(false),
    /** How many of its scores may run at once; null for any number. */
    concurrency: integer('concurrency'),
    createdAt: time('created_at').notNull().defaultNow(),
    createdBy: text('created_by').notNull(),
  },
  (table) => [primaryKey({ columns: [table.gate, table.version] })],
);

/** Every revision of every suite, sealed. */
export const revisions = pgTable(
  'revisions',
  {
    suite: text('suite').notNull(),
    number: integer('number').notNull(),
    digest: text('digest').notNull(),
    caseCount: integer('case_count').notNull(),
    /** How many of the cases are tripwires, which prove nothing. */
    tripwires: integer('tripwires').notNull().default(0),
    /** From when on no case is in force that proves something; null if there will always be one. */
    spentAt: time('spent_at'),
    sealed: bytea('sealed').notNull(),
    /** The service's recipient that the revision is sealed to. */
    recipient: text('recipient').notNull(),
    /** When its author sealed it, if that was not done here. */
    sealedAt: time('sealed_at'),
    createdAt: time('created_at').notNull().defaultNow(),
    createdBy: text('created_by').notNull(),
  },
  (table) => [primaryKey({ columns: [table.suite, table.number] })],
);

/** The cases of each revision by their identity, a keyed digest of their content. */
export const revisionCases = pgTable(
  'revision_cases',
  {
    suite: text('suite').notNull(),
    revision: integer('revision').notNull(),
    position: integer('position').notNull(),
    caseDigest: text('case_digest').notNull(),
    /** From when on the case is not asked any more; null for never. */
    expiresAt: time('expires_at'),
  },
  (table) => [
    primaryKey({ columns: [table.suite, table.revision, table.position] }),
    index('revision_cases_digest').on(table.caseDigest),
  ],
);

/** Every activation; a suite's newest names its active revision. */
export const activations = pgTable(
  'activations',
  {
    sequence: sequence().primaryKey(),
    suite: text('suite').notNull(),
    revision: integer('revision').notNull(),
    activatedAt: time('activated_at').notNull().defaultNow(),
    activatedBy: text('activated_by').notNull(),
  },
  (table) => [index('activations_suite').on(table.suite, table.sequence)],
);

/** Every run of a revision's references, and whether they behaved. */
export const preflights = pgTable(
  'preflights',
  {
    sequence: sequence().primaryKey(),
    suite: text('suite').notNull(),
    revision: integer('revision').notNull(),
    /** The version of what ran and graded them. */
    runner: text('runner').notNull(),
    rounds: integer('rounds').notNull(),
    passed: boolean('passed').notNull(),
    at: time('at').notNull().defaultNow(),
    by: text('by').notNull(),
  },
  (table) => [index('preflights_revision').on(table.suite, table.revision, table.runner, table.sequence)],
);

/** Every measurement of how many mutants of a good build a revision kills. */
export const strengths = pgTable(
  'strengths',
  {
    sequence: sequence().primaryKey(),
    id: uuid('id').notNull(),
    suite: text('suite').notNull(),
    revision: integer('revision').notNull(),
    /** The reference of the revision whose mutants these are; null for a build that somebody sent. */
    reference: text('reference'),
    /** The digest of the build. */
    build: text('build').notNull(),
    isFull: boolean('is_full').notNull(),
    mutants: integer('mutants').notNull(),
    killed: integer('killed').notNull(),
    score: doublePrecision('score').notNull(),
    /** Whether a gate's minimum strength looks at it. */
    counts: boolean('counts').notNull(),
    /** The report for the suite's author, sealed like a suite. */
    sealed: bytea('sealed').notNull(),
    recipient: text('recipient').notNull(),
    measuredAt: time('measured_at').notNull().defaultNow(),
    measuredBy: text('measured_by').notNull(),
  },
  (table) => [
    uniqueIndex('strengths_id').on(table.id),
    index('strengths_revision').on(table.suite, table.revision, table.sequence),
  ],
);

/** What people did with revisions and cases besides: reviewed, retired, published. A suite's newest word on each counts. */
export const suiteEvents = pgTable(
  'suite_events',
  {
    sequence: sequence().primaryKey(),
    /** `approved` or `rejected` a revision; `retired` or `published` a case. */
    kind: text('kind').notNull(),
    suite: text('suite').notNull(),
    /** Which was reviewed, which was made without the case, or which the published case was read from. */
    revision: integer('revision').notNull(),
    /** The identity of the case, if it is about one. */
    caseDigest: text('case_digest'),
    /** Who did it: of one person only the newest review counts. */
    person: text('person').notNull(),
    doneBy: text('done_by').notNull(),
    doneAt: time('done_at').notNull().defaultNow(),
    /** The name of the case, and what was said, sealed like a suite. */
    sealed: bytea('sealed').notNull(),
    recipient: text('recipient').notNull(),
  },
  (table) => [
    index('suite_events_revision').on(table.suite, table.revision),
    index('suite_events_case').on(table.caseDigest),
  ],
);

/** Every bug that is known to have got past a gate, recorded against the score that let it. */
export const incidents = pgTable(
  'incidents',
  {
    id: uuid('id').primaryKey(),
    sequence: sequence().unique(),
    gate: text('gate').notNull(),
    scoreId: uuid('score_id').notNull(),
    recordedBy: text('recorded_by').notNull(),
    recordedAt: time('recorded_at').notNull().defaultNow(),
    /** Its title and details, sealed like a suite. */
    sealed: bytea('sealed').notNull(),
    recipient: text('recipient').notNull(),
  },
  (table) => [
    index('incidents_gate').on(table.gate, table.sequence),
    index('incidents_score').on(table.scoreId),
  ],
);

/** The cases that were drafted from incidents. */
export const incidentCases = pgTable(
  'incident_cases',
  {
    sequence: sequence().primaryKey(),
    incidentId: uuid('incident_id').notNull(),
    suite: text('suite').notNull(),
    /** The draft that was made with it. */
    revision: integer('revision').notNull(),
    position: integer('position').notNull(),
    caseDigest: text('case_digest').notNull(),
    draftedBy: text('drafted_by').notNull(),
    draftedAt: time('drafted_at').notNull().defaultNow(),
  },
  (table) => [
    index('incident_cases_incident').on(table.incidentId),
    index('incident_cases_case').on(table.caseDigest),
  ],
);

/** Every time that the case of an incident was run on the build that escaped and on one that mends it. */
export const incidentProofs = pgTable(
  'incident_proofs',
  {
    sequence: sequence().primaryKey(),
    incidentId: uuid('incident_id').notNull(),
    caseDigest: text('case_digest').notNull(),
    /** The two builds, by their digests, and whether the case passed on each. */
    escaped: text('escaped').notNull(),
    fix: text('fix').notNull(),
    escapedPassed: boolean('escaped_passed').notNull(),
    fixPassed: boolean('fix_passed').notNull(),
    provedBy: text('proved_by').notNull(),
    provedAt: time('proved_at').notNull().defaultNow(),
  },
  (table) => [index('incident_proofs_case').on(table.caseDigest)],
);

/** Builds, named by the SHA-256 of their bytes. */
export const candidates = pgTable('candidates', {
  digest: text('digest').primaryKey(),
  bytes: bytea('bytes').notNull(),
  createdAt: time('created_at').notNull().defaultNow(),
});

/** Every attempt to score a candidate, from the moment it was accepted. */
export const scores = pgTable(
  'scores',
  {
    id: uuid('id').primaryKey(),
    sequence: sequence().unique(),
    gate: text('gate').notNull(),
    policyVersion: integer('policy_version').notNull(),
    changeId: text('change_id').notNull(),
    commit: text('commit').notNull(),
    repository: text('repository'),
    author: text('author'),
    agent: text('agent'),
    model: text('model'),
    candidate: text('candidate').notNull(),
    requestedAt: time('requested_at').notNull().defaultNow(),
    requestedBy: text('requested_by').notNull(),
    /** If there is no verdict by then, there will be none. */
    deadlineAt: time('deadline_at').notNull(),
    idempotencyKey: text('idempotency_key'),
    requestDigest: text('request_digest').notNull(),
    /** Which attempt of its change at the gate it is, from 1. A change is a repository's: two of one id in two of them are two. */
    attempt: integer('attempt').notNull(),
    /** When the first of these was requested. */
    firstRequestedAt: time('first_requested_at').notNull(),
    /** What CI says of the tests that the author sees: so many passed, of so many; null where it says nothing. */
    visiblePassed: integer('visible_passed'),
    visibleTotal: integer('visible_total'),
  },
  (table) => [
    uniqueIndex('scores_idempotency').on(table.requestedBy, table.idempotencyKey),
    index('scores_change').on(table.gate, table.changeId, table.repository, table.sequence),
    index('scores_candidate').on(table.gate, table.candidate, table.sequence),
    index('scores_verdict').on(table.gate, table.changeId, table.commit, table.candidate, table.sequence),
    // What people look for, newest first.
    index('scores_newest').on(table.requestedAt, table.sequence),
    index('scores_gate').on(table.gate, table.requestedAt, table.sequence),
    ...(['repository', 'author', 'agent', 'model'] as const).map((who) =>
      index(`scores_${who}`).on(table[who], table.requestedAt, table.sequence).where(isNotNull(table[who])),
    ),
  ],
);

/** What trends ask of every attempt, kept beside its verdict and beside each of its suites, so that they join nothing. */
const attemptColumns = () => ({
  gate: text('gate').notNull(),
  requestedAt: time('requested_at').notNull(),
  changeId: text('change_id').notNull(),
  repository: text('repository'),
  /** These three are cut after 100 characters: they are in an index, whose rows are bounded. */
  author: text('author'),
  agent: text('agent'),
  model: text('model'),
  attempt: integer('attempt').notNull(),
  firstRequestedAt: time('first_requested_at').notNull(),
  visiblePassed: integer('visible_passed'),
  visibleTotal: integer('visible_total'),
  /** Whether it is the first of its change at the gate that is green: as a whole, or as far as the suite goes. */
  isFirstGreen: boolean('is_first_green').notNull(),
  /** What it may have taught about each case that was asked, in bits; 0 where nothing was charged. */
  bits: doublePrecision('bits').notNull(),
  /** What follows from the rest, derived by the database, so that trends have nothing to compute for each row. Null where nothing was settled, as by a repetition. */
  isGreen: boolean('is_green'),
  /** Whether all visible tests passed; null where CI says nothing. */
  visibleIsGreen: boolean('visible_is_green'),
  /** From the request to the verdict. */
  latencyMs: bigint('latency_ms', { mode: 'number' }).notNull().default(0),
  /** From the first attempt's request to the verdict, where this is the first green. */
  toGreenMs: bigint('to_green_ms', { mode: 'number' }),
});

/** The one verdict of a score. What is the attempt's is copied from `scores` by `append_verdict`; `verdicts_trend` is in the SQL alone. */
export const verdicts = pgTable(
  'verdicts',
  {
    scoreId: uuid('score_id').primaryKey(),
    verdict: text('verdict').notNull(),
    reason: text('reason').notNull(),
    /** The revisions that were scored: `[{suite, revision}]`. */
    revisions: jsonb('revisions').notNull(),
    passed: integer('passed').notNull(),
    total: integer('total').notNull(),
    durationMs: doublePrecision('duration_ms').notNull(),
    /** What the suite's author may read of the failures, sealed like a suite. */
    sealedFailures: bytea('sealed_failures'),
    /** The service's recipient that the failures are sealed to. */
    sealedTo: text('sealed_to'),
    /** The earlier score of the same candidate whose verdict this is: nothing was run again. */
    repeats: uuid('repeats'),
    /** What the inputs of generated cases were made from: 64 hexadecimal digits, null where nothing was run. */
    seed: text('seed'),
    decidedAt: time('decided_at').notNull().defaultNow(),
    ...attemptColumns(),
  },
  (table) => [
    index('verdicts_reason').on(table.reason, table.requestedAt),
    index('verdicts_verdict').on(table.verdict, table.requestedAt),
  ],
);

/** How every suite of every score that ran it came out. The index that trends read, `suite_results_trend`, is in the SQL alone. */
export const suiteResults = pgTable(
  'suite_results',
  {
    scoreId: uuid('score_id').notNull(),
    suite: text('suite').notNull(),
    revision: integer('revision').notNull(),
    candidate: text('candidate').notNull(),
    passed: integer('passed').notNull(),
    total: integer('total').notNull(),
    decidedAt: time('decided_at').notNull(),
    ...attemptColumns(),
  },
  (table) => [
    primaryKey({ columns: [table.scoreId, table.suite] }),
    // Equality is all that is asked of it, and digests are long.
    index('suite_results_candidate').using('hash', table.candidate),
  ],
);

/**
 * How every case of every score ended. Cases are named by position: their names are sealed. Partitioned by the month of `at`, in
 * UTC, so that whole months can be dropped; the partitions and the index of what failed are in the SQL alone.
 */
export const caseResults = pgTable(
  'case_results',
  {
    scoreId: uuid('score_id').notNull(),
    suite: text('suite').notNull(),
    revision: integer('revision').notNull(),
    position: integer('position').notNull(),
    outcome: text('outcome').notNull(),
    passed: boolean('passed').notNull(),
    durationMs: doublePrecision('duration_ms').notNull(),
    /** When the score was requested. */
    at: time('at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.scoreId, table.suite, table.position, table.at] })],
);

/** Cases that passed in one score and failed in another, of the same candidate, on the same revision. */
export const flakyResults = pgTable(
  'flaky_results',
  {
    /** The later of the two scores, and whether the case passed in it. */
    scoreId: uuid('score_id').notNull(),
    suite: text('suite').notNull(),
    revision: integer('revision').notNull(),
    position: integer('position').notNull(),
    passed: boolean('passed').notNull(),
    /** When it was requested. */
    at: time('at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.scoreId, table.suite, table.position] }),
    index('flaky_results_suite').on(table.suite, table.at),
  ],
);

/** What a disclosed verdict may have taught about the cases of one revision, in bits. */
export const charges = pgTable(
  'charges',
  {
    sequence: sequence(),
    scoreId: uuid('score_id').notNull(),
    suite: text('suite').notNull(),
    revision: integer('revision').notNull(),
    bits: doublePrecision('bits').notNull(),
    /** What the revision was charged in all, up to this: the database adds it up, one charge of a revision after the other. */
    spent: doublePrecision('spent').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.scoreId, table.suite] }),
    index('charges_revision').on(table.suite, table.revision, table.sequence),
  ],
);

/** What made a score look as if its candidate had seen a suite. */
export const alarms = pgTable(
  'alarms',
  {
    sequence: sequence().primaryKey(),
    scoreId: uuid('score_id').notNull(),
    suite: text('suite').notNull(),
    revision: integer('revision').notNull(),
    kind: text('kind').notNull(),
    /** How many cases it concerns. */
    cases: integer('cases').notNull(),
    raisedAt: time('raised_at').notNull().defaultNow(),
  },
  (table) => [index('alarms_score').on(table.scoreId)],
);

/** Every approval of a human who lets one blocked commit and candidate merge. The score stays as it is. */
export const overrides = pgTable(
  'overrides',
  {
    sequence: sequence().primaryKey(),
    scoreId: uuid('score_id').notNull(),
    approvedBy: text('approved_by').notNull(),
    /** Who that is: of one person only the first approval counts. */
    person: text('person').notNull(),
    reason: text('reason').notNull(),
    approvedAt: time('approved_at').notNull().defaultNow(),
  },
  (table) => [uniqueIndex('overrides_person').on(table.scoreId, table.person)],
);

/** Who did what and when, each record hashed together with the one before it. */
export const audit = pgTable('audit', {
  sequence: bigint('sequence', { mode: 'number' }).primaryKey(),
  /** JSON text, exactly as it was hashed. */
  entry: text('entry').notNull(),
  /** SHA-256 in hexadecimal. */
  hash: text('hash').notNull(),
});

/** The audit's newest record now and then, signed. */
export const auditHeads = pgTable('audit_heads', {
  sequence: bigint('sequence', { mode: 'number' }).primaryKey(),
  hash: text('hash').notNull(),
  signature: text('signature').notNull(),
  publicKey: text('public_key').notNull(),
  signedAt: time('signed_at').notNull().defaultNow(),
});
