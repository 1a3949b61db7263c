/** The settings: one schema, the only reader of the environment. The answer is frozen, and secrets are never logged. */
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { roundsDefault, roundsMax } from '../gate/activation/preflight-rounds.ts';
import { type QueueBackend, queueBackends } from '../gate/queue/queue-backend.ts';
import { type Wall, wallSchema } from '../runners/walls/wall.ts';
import { usualDataDir } from './compiled-code.ts';
import { isJwt, isMistyped } from './token-text.ts';
import type { Collector } from './tracing.ts';

const cores = availableParallelism();

/** A whole number, in digits alone: `1e3` and `0x10` are hardly what was meant. */
function whole(least: number, most: number) {
  const error = `is a whole number from ${least} to ${most}, in digits alone`;
  const digits = z.string().trim().regex(/^\d+$/, error).transform(Number);
  return digits.pipe(z.number().min(least, error).max(most, error));
}

const count = (fallback: number, most: number) => whole(1, most).default(fallback);

const rate = (fallback: number) => whole(0, 1_000_000).default(fallback);

/** Kubernetes sets it so, for containers beside a Service that is called `holdback`. */
const serviceLink = /^(?:tcp|udp|sctp):\/\//;

/** Whether a text is an IP address, a network such as 10.0.0.0/8, or the name of one. */
function isNetwork(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true;
  const [address = '', bits, ...more] = text.split('/');
  if (isIP(address) === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isIP(address) === 4 ? 32 : 128));
}

/** Headers as OpenTelemetry's settings write them: `key=value,key=value`, values percent-encoded. */
function readHeaders(list: string): [name: string, value: string][] {
  const pairs = list.split(',').filter((pair) => pair.trim() !== '');
  return pairs.map((pair) => {
    const [name = '', ...values] = pair.split('=');
    return [name.trim(), decodeSafely(values.join('=').trim())];
  });
}

/** Whether HTTP can carry it (RFC 9110, 5.1 and 5.5). */
function isHeader([name, value]: [name: string, value: string]): boolean {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(name) && value !== '' && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const environmentSchema = z.object({
  HOLDBACK_HOST: z.string().min(1).default('127.0.0.1').describe('The address to listen on.'),
  HOLDBACK_PORT: z
    .string()
    .refine((text) => !serviceLink.test(text), {
      error:
        'was set by Kubernetes for the Service holdback: say `enableServiceLinks: false` in the pod, or set it there',
      abort: true,
    })
    .pipe(whole(0, 65_535))
    .default(8787)
    .describe('The port; 0 takes any free one.'),
  HOLDBACK_DATA_DIR: z
    .string()
    .min(1)
    .default(usualDataDir)
    .describe('Where the embedded database and the identity are kept.'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(?:ql)?:\/\//, 'starts with postgres:// or postgresql://')
    .optional()
    .describe('A PostgreSQL to use instead of the embedded database.'),
  HOLDBACK_ADMIN_TOKEN: z
    .string()
    .min(20, 'has at least 20 characters')
    .regex(/^[\x21-\x7e]+$/, 'holds a character that no header can carry, such as a space')
    .refine((text) => !isMistyped(text), 'looks like a token made here, but its checksum does not hold')
    .refine((text) => !isJwt(text), 'must not look like a JSON Web Token: three parts with dots between')
    .optional()
    .describe('The first admin token; else one is made and printed once.'),
  HOLDBACK_IDENTITY: z.string().optional().describe('The age identity that opens suites.'),
  HOLDBACK_IDENTITY_FILE: z.string().optional().describe('A file that holds the age identity.'),
  HOLDBACK_RECIPIENTS: z
    .string()
    .default('')
    .transform((text) => text.split(/[\s,]+/).filter((recipient) => recipient !== ''))
    .describe('What everything is sealed to besides: age recipients, with spaces or commas between them.'),
  HOLDBACK_ROLE: z
    .enum(['all', 'api', 'runner'])
    .default('all')
    .describe('What this node does: answer requests, work off the queue of scores, or both.'),
  HOLDBACK_QUEUE_BACKEND: z
    .enum(queueBackends)
    .default('postgres')
    .describe('What kind of database DATABASE_URL names, as far as the queue must know.'),
  HOLDBACK_UNSAFE_DATABASE: z
    .enum(['0', '1'])
    .default('0')
    .describe('1 takes a PostgreSQL that may lose what it has acknowledged.'),
  HOLDBACK_DRAIN_MS: whole(0, 3_600_000)
    .default(5_000)
    .describe(
      'How long scores under way may take to end when the service stops; then they go back to the queue.',
    ),
  HOLDBACK_CONCURRENCY: count(cores, 1_000).describe('How many scores run at once.'),
  HOLDBACK_HOSTS_PER_SCORE: count(cores, 64).describe('Over how many runner processes one score spreads.'),
  HOLDBACK_POOL: count(2 * cores, 256).describe('How many runner processes are kept ready.'),
  HOLDBACK_PREFLIGHT_ROUNDS: count(roundsDefault, roundsMax).describe(
    'How often every reference of a suite is run before a revision is activated.',
  ),
  HOLDBACK_QUEUE: count(1_000, 100_000).describe(
    'How many scores may wait, to run or to be published; more are answered with 429.',
  ),
  HOLDBACK_SLOT_MS: whole(0, 3_600_000)
    .default(1_000)
    .describe('Verdicts are published to ci and harness at the end of time slots of this length; 0 at once.'),
  HOLDBACK_KEEP_RESULTS_MONTHS: whole(1, 1_200)
    .optional()
    .describe('How many months it is kept how each case of a score ended; without it, for ever.'),
  HOLDBACK_OIDC: z.string().optional().describe("Whose jobs' tokens are accepted without a stored secret."),
  HOLDBACK_OIDC_FILE: z.string().optional().describe('A file that holds the same.'),
  HOLDBACK_RATE_PER_ADDRESS: rate(1_200).describe('Requests a minute from one address; 0 for any number.'),
  HOLDBACK_RATE_PER_TOKEN: rate(600).describe('Requests a minute with one token; 0 for any number.'),
  HOLDBACK_TRUST_PROXY: z
    .string()
    .transform((list) => list.split(',').map((part) => part.trim()))
    .refine((networks) => networks.every(isNetwork), {
      error: "lists the proxies' own addresses, such as 10.0.0.0/8, loopback",
    })
    .optional()
    .describe('The proxies that are believed when they name the address of a caller.'),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'is an address that starts with http:// or https://' })
    .optional()
    .describe('The OpenTelemetry collector that traces of scores are sent to, by OTLP over HTTP.'),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .default('')
    .transform(readHeaders)
    .refine((headers) => headers.every(isHeader), {
      // Of what is there nothing is said: it is a secret.
      error: 'is key=value, with commas between: keys are names of headers, and values are percent-encoded',
    })
    .transform((headers) => Object.fromEntries(headers))
    .describe('Headers for the collector, as key=value with commas between them.'),
  OTEL_SERVICE_NAME: z.string().min(1).default('holdback'),
  HOLDBACK_METRICS_TOKEN: z
    .string()
    .min(20, 'has at least 20 characters')
    .regex(/^[\x21-\x7e]+$/, 'holds a character that no header can carry, such as a space')
    .optional()
    .describe('The token with which /metrics is read, besides those of leads.'),
  HOLDBACK_UNSAFE_RUNNERS: z
    .enum(['0', '1'])
    .default('0')
    .describe('1 starts although the probe finds that candidates are not contained here.'),
  HOLDBACK_WALLS: z
    .union(
      [
        z.enum(['auto', 'none']),
        z
          .string()
          .transform((list) => list.split(/[\s,]+/))
          .pipe(z.array(wallSchema).min(1)),
      ],
      { error: `is auto, none, or some of ${wallSchema.options.join(', ')}` },
    )
    .default('auto')
    .describe(
      'What runner processes are started behind, see docs/containment.md: `auto`, whatever holds here; `none`; or which walls there must be at least, with commas between.',
    ),
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
  role: 'all' | 'api' | 'runner';
  queueBackend: QueueBackend;
  drainMs: number;
  unsafeDatabase: boolean;
  concurrency: number;
  hostsPerScore: number;
  pool: number;
  queue: number;
  slotMs: number;
  keepResultsMonths: number | undefined;
  preflightRounds: number;
  oidc: string | undefined;
  oidcFile: string | undefined;
  ratePerAddress: number;
  ratePerToken: number;
  trustProxy: string[] | undefined;
  collector: Collector | undefined;
  metricsToken: string | undefined;
  unsafeRunners: boolean;
  walls: 'auto' | 'none' | readonly Wall[];
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
  if (settings.HOLDBACK_ROLE !== 'all' && settings.DATABASE_URL === undefined) {
    throw new Error(
      `wrong settings in the environment: HOLDBACK_ROLE=${settings.HOLDBACK_ROLE} needs DATABASE_URL, because the embedded database belongs to one process`,
    );
  }
  if (settings.HOLDBACK_IDENTITY !== undefined && settings.HOLDBACK_IDENTITY_FILE !== undefined) {
    throw new Error(
      'wrong settings in the environment: HOLDBACK_IDENTITY and HOLDBACK_IDENTITY_FILE are both set: set one of them',
    );
  }
  return Object.freeze({
    host: settings.HOLDBACK_HOST,
    port: settings.HOLDBACK_PORT,
    dataDir: resolve(settings.HOLDBACK_DATA_DIR),
    databaseUrl: settings.DATABASE_URL,
    adminToken: settings.HOLDBACK_ADMIN_TOKEN,
    identity: settings.HOLDBACK_IDENTITY,
    identityFile: settings.HOLDBACK_IDENTITY_FILE,
    recipients: settings.HOLDBACK_RECIPIENTS,
    role: settings.HOLDBACK_ROLE,
    queueBackend: settings.HOLDBACK_QUEUE_BACKEND,
    drainMs: settings.HOLDBACK_DRAIN_MS,
    unsafeDatabase: settings.HOLDBACK_UNSAFE_DATABASE === '1',
    concurrency: settings.HOLDBACK_CONCURRENCY,
    hostsPerScore: settings.HOLDBACK_HOSTS_PER_SCORE,
    pool: settings.HOLDBACK_POOL,
    queue: settings.HOLDBACK_QUEUE,
    slotMs: settings.HOLDBACK_SLOT_MS,
    keepResultsMonths: settings.HOLDBACK_KEEP_RESULTS_MONTHS,
    preflightRounds: settings.HOLDBACK_PREFLIGHT_ROUNDS,
    oidc: settings.HOLDBACK_OIDC,
    oidcFile: settings.HOLDBACK_OIDC_FILE,
    ratePerAddress: settings.HOLDBACK_RATE_PER_ADDRESS,
    ratePerToken: settings.HOLDBACK_RATE_PER_TOKEN,
    trustProxy: settings.HOLDBACK_TRUST_PROXY,
    collector:
      settings.OTEL_EXPORTER_OTLP_ENDPOINT === undefined
        ? undefined
        : {
            endpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
            headers: settings.OTEL_EXPORTER_OTLP_HEADERS,
            serviceName: settings.OTEL_SERVICE_NAME,
          },
    metricsToken: settings.HOLDBACK_METRICS_TOKEN,
    unsafeRunners: settings.HOLDBACK_UNSAFE_RUNNERS === '1',
    walls: settings.HOLDBACK_WALLS,
    logLevel: settings.HOLDBACK_LOG_LEVEL,
  });
}

/** Set for the command, for its callers, or by Kubernetes for a Service, and not meant for the service. */
const meantForOthers = /^HOLDBACK_(?:TOKEN|URL|TEST_\w+|SERVICE_\w+|PORT_\w+)$/;

/** Which variables look like settings and are none, each in words: a wall or a limit that is misspelt is one that nobody gets. */
export function findUnknown(environment: Record<string, string | undefined>): string[] {
  const known = Object.keys(environmentSchema.shape);
  const unknown = Object.keys(environment).filter(
    (name) => /^HOLDBACK_\w+$/.test(name) && !known.includes(name) && !meantForOthers.test(name),
  );
  return unknown.map(
    (name) => `${name} is no setting, so nothing comes of it: the README lists those that there are`,
  );
}
