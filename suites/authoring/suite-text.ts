/**
 * A suite in JSON or YAML, read with the places of everything in it. JSON stays as strict as JSON is; of both, what a reader would
 * silently take for something else is found: keys that are given twice, and numbers that become others.
 */
import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';

/** A line and a column, both from 1. */
export type Place = { line: number; column: number };

/** A text as it was read: its value, where things are in it, and what is wrong with it as a text. */
export type SuiteText = {
  value: unknown;
  /** Where a path leads, or where what is nearest to it is. */
  placeOf(path: PropertyKey[]): Place | null;
  /** From where to where in the text the value of a key of the suite itself is. */
  rangeOf(key: string): [start: number, end: number] | null;
  wrong: TextFault[];
};

/** What is wrong with a text: at which path if it is about a value, what, and what to do. */
export type TextFault = { path: PropertyKey[]; detail: string; suggestion?: string; place: Place | null };

/** Reads JSON or YAML. Whatever is wrong is in the answer. */
export function readSuiteText(text: string, form: 'json' | 'yaml'): SuiteText {
  const lines = new LineCounter();
  const placeAt = (offset: number | undefined): Place | null => {
    if (offset === undefined) return null;
    const { line, col } = lines.linePos(offset);
    return line === 0 ? null : { line, column: col };
  };
  const json = form === 'json' ? readJson(text) : undefined;
  const document = parse(text, lines);
  if (document === undefined) {
    const fault = { path: [], detail: 'it is nested too deep', place: null };
    return { value: undefined, placeOf: () => null, rangeOf: () => null, wrong: [fault] };
  }
  const placeOf = (path: PropertyKey[]) => placeAt(offsetOf(document.contents, path));
  const rangeOf = (key: string) => rangeIn(document.contents, key);
  if (json !== undefined && 'fault' in json) {
    const offset = json.offset ?? document.errors[0]?.pos[0];
    const fault = { path: [], detail: `it is not JSON: ${json.fault}`, place: placeAt(offset) };
    return { value: undefined, placeOf, rangeOf, wrong: [fault] };
  }
  // Of a text that is JSON, only that a key is given twice is the business of YAML.
  const problems = [...document.errors, ...document.warnings].filter(
    ({ code }) => json === undefined || code === 'DUPLICATE_KEY',
  );
  const wrong = problems.map(({ code, message, pos: [offset] }): TextFault => {
    const place = placeAt(offset);
    if (code !== 'DUPLICATE_KEY') return { path: [], detail: `it is not YAML: ${message}`, place };
    const detail = `the key ${keyAt(text, offset)} is given twice`;
    return { path: [], detail, suggestion: 'keep one of the two', place };
  });
  // Beyond a mistake of YAML itself nobody knows what is meant.
  const isBroken = problems.some(({ code, name }) => name === 'YAMLParseError' && code !== 'DUPLICATE_KEY');
  if (isBroken) return { value: undefined, placeOf, rangeOf, wrong };
  visit(document, {
    Scalar(_key, node, ancestors) {
      const { value, source, range } = node;
      const fault = typeof value === 'number' ? numberFault(value, source) : undefined;
      if (fault !== undefined)
        wrong.push({ ...fault, path: pathOf([...ancestors, node]), place: placeAt(range?.[0]) });
    },
  });
  if (json !== undefined) return { value: json.value, placeOf, rangeOf, wrong };
  try {
    // Anchors that lead back to themselves have no JSON, and those that multiply end here.
    const value: unknown = document.toJS();
    JSON.stringify(value);
    return { value, placeOf, rangeOf, wrong };
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n', 1)[0] : '';
    wrong.push({ path: [], detail: `it is not YAML: ${why}`, place: null });
    return { value: undefined, placeOf, rangeOf, wrong };
  }
}

function readJson(text: string): { value: unknown } | { fault: string; offset: number | undefined } {
  try {
    const value: unknown = JSON.parse(text);
    return { value };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const [, offset] = /at position (\d+)/.exec(message) ?? [];
    const fault = message
      .replace(/ (?:in JSON )?at position.*$/, '')
      .replace(/, ".*" is not valid JSON$/s, '');
    const atEnd = message.includes('end of JSON') ? text.length : undefined;
    return { fault, offset: offset === undefined ? atEnd : Number(offset) };
  }
}

/** Undefined where the nesting is deeper than the stack. */
function parse(text: string, lineCounter: LineCounter) {
  try {
    return parseDocument(text, { lineCounter, prettyErrors: false });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The offset of the key or element that a path leads to, or of the last thing on the way that is there. */
function offsetOf(root: unknown, path: PropertyKey[]): number | undefined {
  let node = root;
  let offset = startOf(node);
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find(
        (each) => isPair(each) && isScalar(each.key) && String(each.key.value) === String(key),
      );
      if (pair === undefined) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof key === 'number') {
      node = node.items[key];
      offset = startOf(node) ?? offset;
    } else break;
  }
  return offset;
}

function rangeIn(root: unknown, key: string): [number, number] | null {
  if (!isMap(root)) return null;
  const pair = root.items.find((each) => isScalar(each.key) && each.key.value === key);
  const node = pair?.value;
  const range = isMap(node) || isSeq(node) || isScalar(node) ? node.range : undefined;
  return range ? [range[0], range[1]] : null;
}

function startOf(node: unknown): number | undefined {
  return isMap(node) || isSeq(node) || isScalar(node) ? node.range?.[0] : undefined;
}

/** The keys that lead through nodes, each of which holds the next. */
function pathOf(nodes: readonly unknown[]): PropertyKey[] {
  return nodes.flatMap((node, index): PropertyKey[] => {
    if (isPair(node)) return isScalar(node.key) ? [String(node.key.value)] : [];
    return isSeq(node) ? [node.items.indexOf(nodes[index + 1])] : [];
  });
}

/** That a number would become another one on the way. */
function numberFault(value: number, source = ''): { detail: string; suggestion: string } | undefined {
  if (!Number.isFinite(value) || Object.is(value, -0)) {
    const tag = JSON.stringify({ $number: Object.is(value, -0) ? '-0' : String(value) });
    return { detail: 'JSON does not keep this number', suggestion: `write ${tag}` };
  }
  if (!/^-?\d+$/.test(source) || BigInt(source) === BigInt(value)) return undefined;
  const tag = JSON.stringify({ $bigint: String(BigInt(source)) });
  return { detail: `JavaScript reads this number as ${BigInt(value)}`, suggestion: `write that, or ${tag}` };
}

function keyAt(text: string, offset: number): string {
  const [key = ''] = /^(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s:,{}]+)/.exec(text.slice(offset, offset + 200)) ?? [];
  return key;
}
