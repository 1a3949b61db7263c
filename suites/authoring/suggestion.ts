/** What an author probably meant: the known word next to the one that was written, and how to mend what is often forgotten. */
import { limitsSchema } from '../../runners/protocol.ts';
import { belongsToSteps, caseSchema, noStepExpects } from '../case.ts';
import { expectationKinds, oneKind } from '../expectation.ts';
import { exchangeSchema, unknownZone, wrongTime } from '../fixtures.ts';
import { referenceSchema } from '../reference.ts';
import { noPointer, stepSchema } from '../scenario.ts';
import { nearest } from './nearest.ts';

const suiteKeys = ['name', 'cases', 'limits', 'references'];
const referenceKeys = Object.keys(referenceSchema.shape);
const caseKeys = Object.keys(caseSchema.shape);
const stepKeys = Object.keys(stepSchema.shape);
/** Fields that only a module can give, because they are functions or go with one. */
const functionKeys = ['generate', 'runs', 'relate'];
const limitKeys = Object.keys(limitsSchema.shape);

/** What to do about a fault at a path of a suite, if that can be told. */
export function suggestionFor(path: PropertyKey[], detail: string): string | undefined {
  const key = String(path.at(-1) ?? '');
  if (detail === 'is not a known field' && functionKeys.includes(key) && path.length === 3) {
    return 'write the suite as a module: only there can a case have functions';
  }
  if (detail === 'is not a known field') return meantBy(key, keysAt(path.slice(0, -1)));
  if (detail === 'is missing' && key === 'name') return 'give the case a name of its own';
  if (key === 'expect' && detail === 'is missing') return 'say what is required, as expect: { equals: … }';
  if (detail === oneKind) return 'write one, as expect: { equals: … }';
  if (detail === belongsToSteps && stepKeys.includes(key)) return `write ${key} in a step`;
  if (detail === noStepExpects) return 'give one of them an expect';
  if (detail === unknownZone) return 'write its IANA name, as Europe/Berlin';
  if (detail === wrongTime) return 'write it with its offset, as 2026-03-29T01:30:00+01:00';
  if (detail.endsWith(noPointer)) return 'begin it with a slash, as /items/0';
  if (detail.startsWith('a revision has either cases')) return 'write cases: [ … ]';
  if (detail === 'a suite has at least one case') return 'write cases: [{ name: …, input: …, expect: … }]';
  if (detail.startsWith('its relation holds whatever'))
    return 'let it answer false to outputs that do not go together';
  if (detail.startsWith('its predicate accepts whatever'))
    return 'let it answer false to what is wrong, such as undefined';
  if (detail.startsWith('its predicate answers with a promise')) return 'write it without async and await';
  return undefined;
}

function keysAt(path: PropertyKey[]): readonly string[] {
  if (path.length === 0) return suiteKeys;
  if (path[0] === 'limits') return limitKeys;
  if (path[0] === 'references') return referenceKeys;
  const [, , field, ...rest] = path;
  if (field === undefined) return caseKeys;
  if (field === 'http') return exchangeKeysAt(rest);
  if (field === 'steps') {
    const [, ofStep, kind] = rest;
    return ofStep === undefined ? stepKeys : ofStep === 'expect' ? expectationKeysAt(kind) : [];
  }
  return field === 'expect' ? expectationKeysAt(rest[0]) : [];
}

function exchangeKeysAt([, part, ...deeper]: PropertyKey[]): readonly string[] {
  if (part === undefined) return Object.keys(exchangeSchema.shape);
  if (deeper.length > 0 || (part !== 'request' && part !== 'response')) return [];
  return Object.keys(exchangeSchema.shape[part].shape);
}

function expectationKeysAt(kind: PropertyKey | undefined): readonly string[] {
  if (kind === undefined) return expectationKinds;
  if (kind === 'closeTo') return ['value', 'tolerance'];
  return kind === 'throws' ? ['name', 'message'] : [];
}

function meantBy(key: string, known: readonly string[]): string | undefined {
  const meant = nearest(key, known);
  if (meant !== undefined) return `did you mean ${meant}?`;
  return known.length === 0 ? undefined : `known are ${known.join(', ')}`;
}
