/**
 * The tables, as Drizzle sees them. The SQL in `sql/` is generated from here (`npm run migrations`), and a check holds
 * the two together. Scores, verdicts and suites are history: the database itself refuses to change or delete them.
 */
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
  /** The gates that the token is limited to; null for all. */
  gates: text('gates').array(),
  sha256: text('sha256').notNull().unique(),
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
    sealed: bytea('sealed').notNull(),
    /** The public recipient that the revision was sealed to. */
    recipient: text('recipient').notNull(),
    createdAt: time('created_at').notNull().defaultNow(),
    createdBy: text('created_by').notNull(),
  },
  (table) => [primaryKey({ columns: [table.suite, table.number] })],
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
  },
  (table) => [
    uniqueIndex('scores_idempotency').on(table.requestedBy, table.idempotencyKey),
    index('scores_change').on(table.gate, table.changeId, table.sequence),
    index('scores_verdict').on(table.gate, table.changeId, table.commit, table.candidate, table.sequence),
  ],
);

/** The one verdict of a score. */
export const verdicts = pgTable('verdicts', {
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
  decidedAt: time('decided_at').notNull().defaultNow(),
});

/** How every case of every score ended. Cases are named by position: their names are sealed. */
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
  },
  (table) => [primaryKey({ columns: [table.scoreId, table.suite, table.position] })],
);
