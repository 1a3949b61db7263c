/**
 * The identity of a case: a keyed digest of what it asks. A case that is renamed, tagged, or copied to another suite is still
 * the same case, so that what its verdicts have taught is not forgotten. Without the key nobody can try contents against one.
 */
import { createHmac } from 'node:crypto';
import { type CaseStep, type SealedCase, stepsOf } from './case.ts';
import { usualCall } from './scenario.ts';

/**
 * 64 hexadecimal digits: HMAC-SHA-256 of what is called, the inputs, the declared expectations and the fixtures, in whatever order
 * their keys were written. Of a predicate the input alone counts, so that rewording one does not make a spent case look fresh. Of a
 * generator what it makes from a fixed seed counts, for the same reason, and not how many inputs are asked for.
 */
export function caseDigest(key: Uint8Array, testCase: Asking): string {
  const { steps, at, zone, seed, http, generate, relate } = testCase;
  const asked = stepsOf(testCase).map(askedOf);
  const [only] = asked;
  // That a case is compared counts where nothing else is required, but not with what: else a new reference, or a new budget, would make a
  // spent case look fresh.
  const sameAs = testCase.sameAs !== undefined && testCase.expect === undefined ? true : undefined;
  // What is not there is left out, so that a plain case is still the one that it was before there was anything else.
  const whole =
    steps === undefined
      ? { ...only, ...generatedOf(generate), relation: relate, sameAs, at, zone, seed, http }
      : { steps: asked, at, zone, seed, http };
  return createHmac('sha256', key).update(canonical(whole)).digest('hex');
}

function generatedOf(generate: SealedCase['generate']): object {
  return generate === undefined ? {} : { input: undefined, generated: generate.sample };
}

/** All of a case but what it is called and how it is sorted. */
type Asking = Omit<SealedCase, 'name' | 'tags'>;

function askedOf({ call, input, expect }: CaseStep): object {
  const asked = { call: call === usualCall ? undefined : call, input: JSON.parse(input) };
  if (expect === undefined) return asked;
  return 'predicate' in expect ? { ...asked, predicate: true } : { ...asked, expect };
}

/** JSON text with the keys of every object in order. JSON.stringify writes lone surrogates as escapes, so all of it is ASCII-safe. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`);
  return `{${members.join(',')}}`;
}
