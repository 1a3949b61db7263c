/**
 * The outside world of a case: the exchanges that it lists, and nothing else. It is loaded before the candidate and captures what it
 * needs, so that what was requested, and how often, is known whatever the candidate has made of the realm.
 */
import type { Exchange } from '../case-run.ts';

/** A request as it is matched; a header's name is in lower case. */
export type MadeRequest = {
  method: string;
  url: string;
  header(name: string): string | null;
  body: string;
};

const { apply, ownKeys, getOwnPropertyDescriptor } = Reflect;
const { parse, stringify } = JSON;
const { isArray } = Array;
const { sort } = Array.prototype;
const { slice } = String.prototype;

/** So much of a URL is told. */
const shownCharsMax = 300;

/** Nothing is optional in it: what is missing would be looked for on Object.prototype, where the candidate may have planted it. */
type Listed = {
  method: string;
  url: string;
  headers: [name: string, value: string][];
  /** The body that is asked for, as it is or as canonical JSON; null where any will do. */
  body: string | null;
  isJson: boolean;
  response: Exchange['response'];
  made: number;
};

export class Network {
  readonly #listed: Listed[];
  readonly #onUnlisted: (detail: string) => void;

  /** Calls `onUnlisted` at once, with words for the suite's author, when a request is made that is not listed. */
  constructor(exchanges: Exchange[], onUnlisted: (detail: string) => void) {
    this.#onUnlisted = onUnlisted;
    this.#listed = exchanges.map(({ request: { method, url, headers, body }, response }) => {
      const isJson = body !== undefined && 'json' in body;
      return {
        method,
        url,
        headers: headers.map(([name, value]) => [name.toLowerCase(), value.trim()]),
        body: isJson ? canonical(parse(body.json)) : (body?.text ?? null),
        isJson,
        response,
        made: 0,
      };
    });
  }

  /**
   * The answer to a request: that of the first exchange for it which was not made yet, or else of the last. Undefined where none is
   * listed, which fails the case.
   */
  answer(request: MadeRequest): Exchange['response'] | undefined {
    let found: Listed | undefined;
    for (let index = 0; index < this.#listed.length; index++) {
      const listed = this.#listed[index];
      if (listed === undefined || !isFor(listed, request)) continue;
      found = listed;
      if (listed.made === 0) break;
    }
    if (found === undefined) {
      const url = apply(slice, request.url, [0, shownCharsMax]);
      const method = apply(slice, request.method, [0, shownCharsMax]);
      this.#onUnlisted(`it requested ${method} ${url}, which the case does not list`);
      return undefined;
    }
    found.made++;
    return found.response;
  }

  /** How often each exchange was made, as JSON text. */
  get counts(): string {
    let counts = '';
    for (let index = 0; index < this.#listed.length; index++) {
      counts += `${index === 0 ? '' : ','}${this.#listed[index]?.made ?? 0}`;
    }
    return `[${counts}]`;
  }
}

function isFor({ method, url, headers, body, isJson }: Listed, request: MadeRequest): boolean {
  if (request.method !== method || request.url !== url) return false;
  for (let index = 0; index < headers.length; index++) {
    const header = headers[index];
    if (header !== undefined && request.header(header[0]) !== header[1]) return false;
  }
  if (body === null) return true;
  return isJson ? isSameJson(request.body, body) : request.body === body;
}

function isSameJson(text: string, wanted: string): boolean {
  try {
    return canonical(parse(text)) === wanted;
  } catch {
    return false;
  }
}

/** JSON text with the keys of every object in order. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return stringify(value);
  const isList = isArray(value);
  const keys = ownKeys(value);
  if (!isList) apply(sort, keys, []);
  let out = '';
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index];
    if (typeof key !== 'string' || (isList && key === 'length')) continue;
    const member = canonical(getOwnPropertyDescriptor(value, key)?.value);
    out += `${out === '' ? '' : ','}${isList ? '' : `${stringify(key)}:`}${member}`;
  }
  return isList ? `[${out}]` : `{${out}}`;
}
