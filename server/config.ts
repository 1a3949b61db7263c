/** The settings: one schema, the only reader of the environment. The answer is frozen, and secrets are never logged. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';

const cores = availableParallelism();

const count = (fallback: number, most: number) => z.coerce.number().int().min(1).max(most).default(fallback);

const environmentSchema = z.object({
  HOLDBACK_HOST: z.string().min(1).default('127.0.0.1').describe('The address to listen on.'),
  HOLDBACK_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8787)
    .describe('The port; 0 takes any free one.'),
  HOLDBACK_DATA_DIR: z
    .string()
    .min(1)
    .default('.holdback')
    .describe('Where the embedded database and the identity are kept.'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(?:ql)?:\/\//, 'starts with postgres:// or postgresql://')
    .optional()
    .describe('A PostgreSQL to use instead of the embedded database.'),
  HOLDBACK_ADMIN_TOKEN: z
    .string()
    .min(20, 'has at least 20 characters')
    .optional()
    .describe('The first admin token; else one is made and printed once.'),
  HOLDBACK_IDENTITY: z.string().optional().describe('The age identity that opens suites.'),
  HOLDBACK_IDENTITY_FILE: z.string().optional().describe('A file that holds the age identity.'),
  HOLDBACK_RECIPIENTS: z
    .string()
    .default('')
    .transform((text) => text.split(/[\s,]+/).filter((recipient) => recipient !== ''))
    .describe('What everything is sealed to besides: age recipients, with spaces or commas between them.'),
  HOLDBACK_CONCURRENCY: count(cores, 1_000).describe('How many scores run at once.'),
  HOLDBACK_HOSTS_PER_SCORE: count(cores, 64).describe('Over how many runner processes one score spreads.'),
  HOLDBACK_POOL: count(2 * cores, 256).describe('How many runner processes are kept ready.'),
  HOLDBACK_QUEUE: count(1_000, 100_000).describe('How many scores may wait; more are answered with 429.'),
  HOLDBACK_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('warn'),
});

export type Config = Readonly<{
  host: string;
  port: number;
  dataDir: string;
  databaseUrl: string | undefined;
  adminToken: string | undefined;
  identity: string | undefined;
  identityFile: string | undefined;
  recipients: readonly string[];
  concurrency: number;
  hostsPerScore: number;
  pool: number;
  queue: number;
  logLevel: string;
}>;

/** Reads the settings. Throws an Error that names each wrong one. */
export function readConfig(environment: Record<string, string | undefined>): Config {
  // An empty variable means the same as none, as in most shells' habits.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new Error(`wrong settings in the environment: ${problems.join('; ')}`);
  }
  const settings = parsed.data;
  return Object.freeze({
    host: settings.HOLDBACK_HOST,
    port: settings.HOLDBACK_PORT,
    dataDir: resolve(settings.HOLDBACK_DATA_DIR),
    databaseUrl: settings.DATABASE_URL,
    adminToken: settings.HOLDBACK_ADMIN_TOKEN,
    identity: settings.HOLDBACK_IDENTITY,
    identityFile: settings.HOLDBACK_IDENTITY_FILE,
    recipients: settings.HOLDBACK_RECIPIENTS,
    concurrency: settings.HOLDBACK_CONCURRENCY,
    hostsPerScore: settings.HOLDBACK_HOSTS_PER_SCORE,
    pool: settings.HOLDBACK_POOL,
    queue: settings.HOLDBACK_QUEUE,
    logLevel: settings.HOLDBACK_LOG_LEVEL,
  });
}
