/** A case as a text that its author reads and changes: what is read from the text again is the very same case. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import type { SealedCase } from '../case.ts';
import type { CaseText } from './case-text.ts';
import { asAuthored } from './make-revision.ts';
import { readSuiteText } from './suite-text.ts';

/** How the fields of a case are ordered for reading; others follow. */
const order = ['name', 'at', 'zone', 'seed', 'http', 'call', 'input', 'steps', 'expect', 'sameAs', 'within'];

/** What a browser or an editor may not carry as it is: controls, halves of surrogates, other ends of lines, what is not seen. */
const fragile = /[[\p{Cc}--[\n\t]]\p{Cf}\p{Cs}\u2028\u2029]/v;
const fragiles = new RegExp(fragile, 'gv');

/** In YAML, which is easier to read, or in JSON with escapes where YAML would not carry it unchanged. */
export function caseAsText(testCase: SealedCase): CaseText {
  const authored = ordered(asAuthored(testCase));
  const yaml = stringify(authored, { lineWidth: 0, aliasDuplicateObjects: false });
  const isCarried = !fragile.test(yaml) && isDeepStrictEqual(readBack(yaml), authored);
  return isCarried ? { text: yaml, form: 'yaml' } : { text: jsonOf(authored), form: 'json' };
}

function readBack(yaml: string): unknown {
  const { value, wrong } = readSuiteText(yaml, 'yaml');
  return wrong.length === 0 ? value : undefined;
}

function ordered({ tags, ...rest }: ReturnType<typeof asAuthored>): object {
  const authored = Object.entries({ ...rest, ...(tags.length === 0 ? {} : { tags }) });
  const placeOf = (key: string) => (order.includes(key) ? order.indexOf(key) : order.length);
  // Only names of our own schema are keys here.
  return Object.fromEntries(authored.toSorted(([one], [other]) => placeOf(one) - placeOf(other)));
}

/** JSON in which every such character is an escape. */
function jsonOf(authored: object): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  const text = JSON.stringify(authored, undefined, 2);
  return text.replaceAll(fragiles, (found) => found.split('').map(escaped).join(''));
}
