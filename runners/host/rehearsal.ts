/**
 * A build of our own that a host runs ahead of its job: as long as a small library, and of what libraries are written with. An engine
 * that has parsed, compiled and run one has its own code and its memory at hand for the next: the first case of a real build takes half
 * as long.
 */
import { type CaseRun, plainRun } from '../case-run.ts';

/** The library is in the build so often, with other numbers: together that is some 30 KB. */
const copies = 6;

/** What `library` is asked and answers with. Any values of many kinds would do. */
type Asked = { turn: number; warm: unknown };
type Answered = Record<string, unknown>;

/** It stands in the build as it is written here, and so uses nothing but its own and the language's names. */
function library(number: number): (asked: Asked) => Answered {
  type Options = { isLoose: boolean; depthMax: number };
  const levels = { trace: number, debug: number + 10, info: number + 20, warn: number + 30 };
  const numeric = /^[0-9]+$/;
  const pair = new RegExp(`^(\\w{1,${number}9})=(?:"([^"]*)"|([^;\\s]+));?$`);
  const sources = new Map<string, string>();
  const patterns: RegExp[] = [];
  const define = (name: string, source: string, flags = '') => {
    sources.set(name, source);
    patterns.push(new RegExp(source, flags));
  };
  define('word', `[a-z_$][\\w$]{0,${number}0}`, 'gi');
  define('number', `[-+]?(?:0|[1-9]\\d{0,${number}1})(?:\\.\\d+)?(?:e[-+]?\\d+)?`);
  define(
    'date',
    `^(\\d{4})-(\\d\\d)-(\\d\\d)(?:T(\\d\\d):(\\d\\d)(?::(\\d\\d))?)?(?:Z|[-+]${number}\\d:\\d\\d)?$`,
  );
  define('list', `^\\s*(?:${sources.get('word')}|[<>~^=]{1,2})\\s*(?:,|\\|\\||$)`);

  class Branch {
    readonly name: string;
    readonly parent: Branch | null;
    readonly options: Options;
    readonly children: Branch[] = [];
    #marks = number;

    constructor(name: string, parent: Branch | null = null, options: Partial<Options> = {}) {
      if (typeof name !== 'string') throw new TypeError(`a name is text, and not ${typeof name}`);
      this.name = name.trim().toLowerCase();
      this.parent = parent;
      this.options = { isLoose: false, depthMax: number, ...options };
    }

    static from(text: string, options: Partial<Options>): Branch {
      const [first = '', ...others] = text.split(/[\s/]+/).filter(Boolean);
      const branch = new Branch(first, null, options);
      for (const other of others) branch.add(other);
      return branch;
    }

    get depth(): number {
      return this.parent === null ? 0 : this.parent.depth + 1;
    }

    add(name: string): this {
      const child = new Branch(name, this, this.options);
      this.children.push(child);
      this.#marks += child.depth;
      return this;
    }

    *[Symbol.iterator](): Generator<Branch> {
      yield this;
      for (const child of this.children) yield* child;
    }

    toString(): string {
      return `${[...this].map(({ name, depth }) => '.'.repeat(depth) + name).join('/')}#${this.#marks}`;
    }
  }

  class Fault extends Error {
    readonly code = `E_${levels.warn}`;
  }

  const kept = new Map<string, Branch>();
  const remember = (key: string, make: (key: string) => Branch): Branch => {
    const found = kept.get(key);
    if (found !== undefined) return found;
    const made = make(key);
    for (const oldest of kept.keys()) if (kept.size > number) kept.delete(oldest);
    kept.set(key, made);
    return made;
  };

  const compare = (left: string, right: string): number => {
    const [a, b] = [numeric.test(left), numeric.test(right)];
    if (a && b) return Number(left) - Number(right) || number;
    if (a !== b) return a ? -1 : 1;
    return left < right ? -1 : Number(left > right);
  };

  const parse = (text: string, { isStrict = false, ...rest }: { isStrict?: boolean; sum?: number } = {}) => {
    const at = patterns.map((pattern) => {
      pattern.lastIndex = 0;
      return pattern.exec(text)?.index ?? -1;
    });
    const match = pair.exec(text);
    if (match === null && isStrict)
      throw new Fault(`cannot be read: ${JSON.stringify(text.slice(0, 9))}`, { cause: rest });
    const { year, month } = /(?<year>\d{4})-(?<month>\d\d)/.exec(text)?.groups ?? {};
    return {
      at,
      key: match?.[1] ?? null,
      when: [year, month].map((part) => Number.parseInt(part ?? '', 10)),
      ...rest,
    };
  };

  const walk = (value: unknown, path: string[] = [], found: string[] = []): string[] => {
    switch (Array.isArray(value) ? 'list' : typeof value) {
      case 'list':
      case 'object':
        for (const [key, item] of Object.entries(Object(value))) walk(item, [...path, key], found);
        break;
      case 'string':
        found.push(`${path.join('.')}=${`${value}`.replace(/[A-Z]+/g, (some) => `_${some.toLowerCase()}`)}`);
        break;
      case 'number':
        found.push(path.concat(Number(value).toFixed(2)).join(':'));
        break;
      default:
        found.push(String(value));
    }
    return found;
  };

  return ({ turn, warm }) => {
    const text = `rehearsal 2020-02-0${turn} ^1.${turn}.0 || name="${turn}"`;
    const branch = remember(text, (key) => Branch.from(key, { depthMax: number }));
    const words = [...walk(warm), ...(text.match(patterns[0] ?? numeric) ?? [])].sort(compare);
    const counts: Record<number, number> = {};
    for (const { length } of words) counts[length] = (counts[length] ?? 0) + 1;
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0) ^ number);
    let sum = bytes.reduce((all, byte) => (Math.imul(all, 31) + byte) >>> 0, number);
    for (let round = 0; round < 50; round++) sum = (sum * 33 + round) % 65_521;
    let fault: string | undefined;
    try {
      parse(text, { isStrict: true, sum });
    } catch (error) {
      fault = error instanceof Fault ? error.code : `${error}`;
    }
    const at = new Date(sum).toISOString();
    const copy: unknown = JSON.parse(JSON.stringify({ counts, words, sum, at, tree: `${branch}` }));
    return {
      copy,
      fault,
      parsed: parse(`part=${text}`),
      big: BigInt(sum) * 3n,
      isTold: [true, null, undefined],
    };
  };
}

/** The build as the body of a CommonJS function. It returns and throws what builds do. */
export const rehearsalScript = `'use strict';
const all = [${Array.from({ length: copies }, (_, copy) => `(${library})(${copy + 1})`).join(',\n')}];
exports.run = ({ turn, ...asked }) => {
  const answers = all.map((one) => one({ turn, ...asked }));
  if (turn === 3) throw new TypeError('it was asked to');
  return turn === 2 ? Promise.resolve(answers) : answers;
};`;

/** The last of them throws. */
export const rehearsalRuns: CaseRun[] = Array.from({ length: 4 }, (_, turn) =>
  plainRun(`{"turn":${turn},"warm":[1,"upToDate",{"a":null,"b":[0.5,"Two words",true]}]}`),
);
