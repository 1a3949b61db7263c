/**
 * Which CI systems' tokens are accepted, and what each may do: read once from the settings, strictly, because a rule that says
 * less than was meant lets in more than was meant.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { type Fault, readBy } from '../suites/authoring/faults.ts';
import { slugSchema } from '../suites/suite.ts';

const text = z.string().min(1).max(1_000);
const accepted = text.refine((value) => !value.includes('*'), {
  error: 'holds a *: claims are compared as they stand, so list every value that is meant',
});

/** A token whose claims all have one of the accepted values is given the role, at these gates. */
const ruleSchema = z.strictObject({
  claims: z
    .record(text, z.union([accepted, z.array(accepted).min(1).max(1_000)]))
    .refine((claims) => Object.keys(claims).length > 0, {
      error: 'must name at least one claim: without any, everybody at the issuer is meant',
    }),
  role: z.enum(['ci', 'harness']),
  gates: z.array(slugSchema).min(1).max(100),
});

const issuerSchema = z.strictObject({
  issuer: text.refine((url) => isTrustworthy(url) && !/[?#]/.test(url), {
    error: 'must be an address that starts with https:// (or http:// on a loopback host), with no ? or #',
  }),
  audience: text,
  /** Which claim names the repository that the token is for; null if a token may have any repository's changes scored. */
  repositoryClaim: text.nullable().default('repository'),
  rules: z.array(ruleSchema).min(1).max(1_000),
});
export type Issuer = z.infer<typeof issuerSchema>;

const issuersSchema = z
  .array(issuerSchema)
  .max(100)
  .refine((issuers) => new Set(issuers.map(({ issuer }) => issuer)).size === issuers.length, {
    error: 'name an issuer twice: put all its rules into one',
  });

/** Reads the settings about issuers; none if there are no such settings. Throws an Error that says what to mend. */
export async function loadIssuers({
  oidc,
  oidcFile,
}: {
  oidc?: string | undefined;
  oidcFile?: string | undefined;
}): Promise<Issuer[]> {
  if (oidc !== undefined && oidcFile !== undefined) {
    throw new Error('HOLDBACK_OIDC and HOLDBACK_OIDC_FILE are both set: set one of them');
  }
  if (oidc !== undefined) return parseIssuers(oidc, 'HOLDBACK_OIDC');
  if (oidcFile === undefined) return [];
  const content = await readFile(oidcFile, 'utf8').catch((cause: unknown) => {
    throw new Error(`${oidcFile}, which HOLDBACK_OIDC_FILE names, could not be read`, { cause });
  });
  return parseIssuers(content, oidcFile);
}

function parseIssuers(content: string, where: string): Issuer[] {
  const read = readBy(issuersSchema, parseJson(content, where));
  if (read.ok) return read.value;
  throw new Error(`${where}: ${read.faults.map(told).join('; ')}`);
}

function parseJson(content: string, where: string): unknown {
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw new Error(`${where} is not JSON`, { cause });
  }
}

function told({ path, detail }: Fault): string {
  return path.length === 0 ? `the issuers ${detail}` : `${path.join('.')}: ${detail}`;
}

/** Whether nobody between here and there can change what is answered: https, or http to this very machine. */
export function isTrustworthy(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || isLoopback(text);
}

/** Whether an address is plain http to this very machine. */
export function isLoopback(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  return protocol === 'http:' && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}
