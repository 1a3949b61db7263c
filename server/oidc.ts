/**
 * Readers without a stored secret: a CI system signs a token for each job (OpenID Connect), and the rules of the settings say
 * what such a job may do. Only a signature of the configured issuer counts; the token's header is believed in nothing.
 */
import { createHash } from 'node:crypto';
import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import { changeSchema, wellFormed } from '../gate/gate.ts';
import { IssuerKeys } from './issuer-keys.ts';
import type { Issuer } from './issuers.ts';
import { RequestError } from './problems.ts';
import type { Reader } from './tokens.ts';

/** Signatures by a private key alone: whoever knows only the public one can make none of these. */
const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** A job's token is for a job: no older than this is accepted, whatever it says of its end, in seconds. */
const ageSecondsMax = 6 * 3_600;
const clockToleranceSeconds = 30;

/** Longer tokens are not read, and longer names of readers are cut, in characters. */
const tokenCharsMax = 12_000;
const nameCharsMax = 300;

const subjectSchema = wellFormed(tokenCharsMax);

export class Oidc {
  readonly #issuers = new Map<string, { issuer: Issuer; keys: IssuerKeys }>();

  constructor(issuers: Issuer[]) {
    for (const issuer of issuers) {
      this.#issuers.set(issuer.issuer, { issuer, keys: new IssuerKeys(issuer.issuer) });
    }
  }

  /**
   * Who presents this token. Throws `token_invalid`, `token_expired`, `claims_forbidden` where no rule is for it, and
   * `issuer_unavailable` where that cannot be known now.
   */
  async findReader(token: string): Promise<Reader> {
    const { issuer, keys } = this.#issuerOf(token);
    const claims = await verify(token, issuer, keys);
    const rule = issuer.rules.find((candidate) => matches(candidate, claims));
    if (rule === undefined) {
      throw new RequestError('claims_forbidden', 'no rule of this service is for a job with these claims');
    }
    const tokenId = nameOf(issuer, claims);
    return {
      tokenId,
      role: rule.role,
      gates: rule.gates,
      suites: null,
      person: tokenId,
      repository: repositoryOf(issuer, claims),
    };
  }

  /** Which issuer the token claims to be of: so far this is only a claim. */
  #issuerOf(token: string) {
    if (token.length > tokenCharsMax) throw invalid('it is too long');
    const known = this.#issuers.get(unverifiedIssuer(token) ?? '');
    if (known === undefined) throw invalid('its issuer is not one whose tokens are accepted here');
    return known;
  }
}

function unverifiedIssuer(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    throw invalid('it does not read as a JSON Web Token');
  }
}

async function verify(token: string, { issuer, audience }: Issuer, keys: IssuerKeys): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys.get, {
      algorithms,
      issuer,
      audience,
      requiredClaims: ['exp', 'sub'],
      maxTokenAge: ageSecondsMax,
      clockTolerance: clockToleranceSeconds,
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JOSEError) throw refusalOf(error);
    throw error;
  }
}

/** Why a token is refused, told to its holder, who can read it anyway. */
function refusalOf(error: errors.JOSEError): RequestError {
  if (error instanceof errors.JWTExpired) {
    return new RequestError('token_expired', 'the token has expired: get a fresh one from the CI system');
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return invalid('it was made for another audience');
    if (error.claim === 'nbf' || error.claim === 'iat') return invalid('it is not valid yet, or has no time');
    return invalid(`its claim ${error.claim} is missing or not as it should be`);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return invalid('its algorithm is not accepted');
  if (error instanceof errors.JWKSNoMatchingKey) {
    return invalid('it is signed with a key that its issuer does not publish');
  }
  if (error instanceof errors.JWKSMultipleMatchingKeys) return invalid('it does not say which key signed it');
  if (error instanceof errors.JWSSignatureVerificationFailed) return invalid('its signature does not hold');
  return invalid('it does not read as a signed JSON Web Token');
}

function invalid(why: string): RequestError {
  return new RequestError('token_invalid', why);
}

/** Whether every claim that the rule names is a string in the token, and one of those accepted. */
function matches({ claims: wanted }: Issuer['rules'][number], claims: JWTPayload): boolean {
  return Object.entries(wanted).every(([name, accepted]) => {
    const value: unknown = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return typeof value === 'string' && [accepted].flat().includes(value);
  });
}

function repositoryOf({ repositoryClaim: claim }: Issuer, claims: JWTPayload): string | null {
  if (claim === null) return null;
  const repository = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  const read = changeSchema.shape.repository.unwrap().safeParse(repository);
  if (read.success) return read.data;
  throw new RequestError('claims_forbidden', `the token names no repository in its claim ${claim}`);
}

/** Issuer and subject as one name. A long one ends in a digest of all of it, so that no two are the same. */
function nameOf({ issuer }: Issuer, { sub }: JWTPayload): string {
  const subject = subjectSchema.safeParse(sub);
  if (!subject.success) throw invalid('its claim sub is missing or not as it should be');
  const { host, pathname } = new URL(issuer);
  const name = `oidc:${host}${pathname.replace(/\/$/, '')}:${subject.data}`;
  if (name.length <= nameCharsMax) return name;
  const digest = createHash('sha256').update(name).digest('hex');
  return `${name.slice(0, nameCharsMax - digest.length - 1).toWellFormed()}~${digest}`;
}
