/**
 * The HTTP client: asks the service one thing, and answers what came back, parsed with the schema of that answer. Whatever
 * else happens is a CommandError that says whose fault it is, and the token goes nowhere but to the service.
 */
import { z } from 'zod';
import { ActivationRefused } from './activation-refused.ts';
import { CommandError, usageError } from './errors.ts';

const urlDefault = 'http://127.0.0.1:8787';

/** How long one answer may take besides what was asked to be waited for, in milliseconds. */
const answerMsMax = 120_000;

/** Statuses that say that what was asked cannot be done as it stands. All others that fail are about the service. */
const refusals = [400, 404, 405, 409, 413, 414, 415, 422];

const problemSchema = z.object({
  title: z.string(),
  code: z.string(),
  detail: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  revision: z.int().positive().optional(),
  refusals: z
    .array(
      z.object({
        code: z.string(),
        message: z.string(),
        details: z.array(z.string()).optional(),
        advice: z.string(),
      }),
    )
    .optional(),
});

export type Ask = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** The segments of the path; each is escaped. */
  path: string[];
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: { type: 'application/json' | 'application/octet-stream'; content: string | Uint8Array<ArrayBuffer> };
  /** How much longer than usual the answer may take, in milliseconds. */
  waitMs?: number;
};

export class Client {
  readonly #base: string;
  readonly #token: string | undefined;

  /**
   * Without a token it asks what is open to all. Throws a usage error for a URL that is none, and a service error for a token
   * that cannot be one.
   */
  constructor({ url, token }: { url: string; token?: string }) {
    this.#base = baseOf(url);
    this.#token = token?.trim();
    if (this.#token !== undefined && !/^[\x21-\x7e]+$/.test(this.#token)) {
      throw new CommandError(
        'service',
        'token_malformed',
        'HOLDBACK_TOKEN is not a token: set it to one alone',
      );
    }
  }

  /** Asks, and answers the parsed body. Throws CommandError. */
  async ask<Answer>(ask: Ask, schema: z.ZodType<Answer>): Promise<Answer> {
    const response = await this.#send(ask);
    if (!response.ok) throw refusalOf(response.status, response.text);
    const parsed = schema.safeParse(parseJson(response.text));
    if (parsed.success) return parsed.data;
    throw new CommandError(
      'service',
      'answer_not_understood',
      `what answers at ${this.#base} is not a Holdback service that this version understands: check HOLDBACK_URL`,
      { cause: parsed.error },
    );
  }

  /** Asks for what is not JSON, and answers it piece by piece. Throws CommandError, also where it breaks off. */
  async *download(ask: Ask, calledOff: AbortSignal): AsyncGenerator<Uint8Array> {
    const silence = new AbortController();
    const { request, url } = this.#requestOf(ask);
    const timer = setTimeout(() => silence.abort(), answerMsMax);
    try {
      const signal = AbortSignal.any([silence.signal, calledOff]);
      const response = await fetch(url, { ...request, signal });
      if (!response.ok) throw refusalOf(response.status, await response.text());
      for await (const piece of response.body ?? []) {
        timer.refresh();
        yield piece;
      }
    } catch (cause) {
      if (cause instanceof CommandError) throw cause;
      throw this.#unreachable(silence.signal.aborted ? 'it took too long' : reasonOf(cause), cause);
    } finally {
      clearTimeout(timer);
    }
  }

  #requestOf({ method, path, query = {}, headers = {}, body }: Ask): { url: URL; request: RequestInit } {
    const url = new URL(path.map(encodeURIComponent).join('/'), this.#base);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const request = {
      method,
      headers: {
        ...headers,
        accept: 'application/json',
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        ...(body === undefined ? {} : { 'content-type': body.type }),
      },
      ...(body === undefined ? {} : { body: body.content }),
      redirect: 'error' as const,
    };
    return { url, request };
  }

  #unreachable(why: string, cause: unknown): CommandError {
    return new CommandError(
      'service',
      'service_unreachable',
      `no service answers at ${this.#base} (${why}): start one with \`holdback serve\`, or set HOLDBACK_URL`,
      { cause },
    );
  }

  async #send(ask: Ask) {
    const { url, request } = this.#requestOf(ask);
    try {
      const signal = AbortSignal.timeout((ask.waitMs ?? 0) + answerMsMax);
      const response = await fetch(url, { ...request, signal });
      return { ok: response.ok, status: response.status, text: await response.text() };
    } catch (cause) {
      throw this.#unreachable(reasonOf(cause), cause);
    }
  }
}

/** The client that the environment describes. Throws a service error where there is no token. */
export function connect(environment: NodeJS.ProcessEnv): Client {
  const url = environment.HOLDBACK_URL || urlDefault;
  const token = environment.HOLDBACK_TOKEN?.trim();
  if (token) return new Client({ url, token });
  throw new CommandError(
    'service',
    'token_missing',
    'HOLDBACK_TOKEN is not set: set it to a token of the service (`holdback token create` makes one)',
  );
}

/** A client that sends no token, for what is open to all. */
export function connectOpenly(environment: NodeJS.ProcessEnv): Client {
  return new Client({ url: environment.HOLDBACK_URL || urlDefault });
}

/** JSON as a body. The text may be given as it is, so that nothing in it changes on the way. */
export function json(value: unknown): { type: 'application/json'; content: string } {
  return { type: 'application/json', content: JSON.stringify(value) };
}

/** The address with a slash at its end, so that a service may live below a path. */
function baseOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !['http:', 'https:'].includes(url.protocol) ||
    url.username !== '' ||
    url.password !== ''
  ) {
    // What is set may hold a password, or be the token by mistake, and is not repeated.
    throw usageError(`HOLDBACK_URL is no address, or holds a user: set it to one such as ${urlDefault}`);
  }
  return `${url.origin}${url.pathname.replace(/\/*$/, '/')}`;
}

/** JSON or undefined, which no schema of an answer accepts. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A status alone proves nothing: what refuses without a problem's body is something between here and the service. */
function refusalOf(status: number, text: string): CommandError {
  const problem = problemSchema.safeParse(parseJson(text)).data;
  if (problem === undefined) {
    return new CommandError(
      'service',
      `http_${status}`,
      `what answers there answered ${status}: check HOLDBACK_URL`,
    );
  }
  const { code, title, detail, errors = [], revision, refusals: against } = problem;
  if (revision !== undefined && against !== undefined) {
    return new ActivationRefused(`${title}: ${detail ?? ''}`, revision, against);
  }
  const places = errors.map((error) => `${error.pointer}: ${error.detail}`);
  const what = places.length > 0 ? places.join('; ') : detail;
  const hint = status === 401 ? ' (set HOLDBACK_TOKEN to a token of this service)' : '';
  const fault = refusals.includes(status) ? 'usage' : 'service';
  return new CommandError(fault, code, `${what === undefined ? title : `${title}: ${what}`}${hint}`);
}

/** What is known of a request that got no answer: `ECONNREFUSED` rather than `fetch failed`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it failed';
  if (error.name === 'TimeoutError') return 'it took too long';
  const { cause } = error;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof Error ? cause.message : error.message;
}
