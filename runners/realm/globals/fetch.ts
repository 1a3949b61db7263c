/**
 * `fetch` and its classes, over the exchanges of a case. Bodies are text or bytes, never streams; answers come at once in virtual
 * time; redirects are handed over, not followed. It is loaded before the candidate, where a case has exchanges.
 */
import { Headers } from 'headers-polyfill';
import type { Exchange } from '../../case-run.ts';
import type { Network } from '../network.ts';

export { Headers };

/** It comes without types; these classes are only ever handed on to the realm. */
declare const require: (id: 'abortcontroller-polyfill/dist/cjs-ponyfill.js') => {
  AbortController: object;
  AbortSignal: object;
};
export const { AbortController, AbortSignal } = require('abortcontroller-polyfill/dist/cjs-ponyfill.js');

type HeadersInit = ConstructorParameters<typeof Headers>[0];
type Bytes = Uint8Array<ArrayBuffer>;
type Content = string | Bytes | null;

/** What the classes need of the realm's other libraries, which are loaded when they are used. */
export type FetchParts = {
  encode(text: string): Bytes;
  decode(bytes: Bytes): string;
  /** The URL as the standard writes it, without its fragment. Throws for what is no absolute URL. */
  normalise(url: string): string;
};

type RequestInit = { method?: unknown; headers?: HeadersInit; body?: unknown; signal?: unknown };
type ResponseInit = { status?: number; statusText?: string; headers?: HeadersInit };

/** The classes and the function, as one realm has them. */
export function createFetch(network: Network, parts: FetchParts) {
  /** What requests and responses have in common: a body that can be read once. */
  class Body {
    #content: Content;
    #used = false;

    constructor(content: Content) {
      this.#content = content;
    }

    get bodyUsed(): boolean {
      return this.#used;
    }

    /** Bodies are no streams here. */
    get body(): null {
      return null;
    }

    async text(): Promise<string> {
      const content = this.#take();
      return typeof content === 'string' ? content : content === null ? '' : parts.decode(content);
    }

    async json(): Promise<unknown> {
      return JSON.parse(await this.text());
    }

    async bytes(): Promise<Bytes> {
      const content = this.#take();
      return typeof content === 'string' ? parts.encode(content) : (content ?? new Uint8Array()).slice();
    }

    async arrayBuffer(): Promise<ArrayBuffer> {
      return (await this.bytes()).buffer;
    }

    /** The content for a copy. Throws where it was read. */
    static copyOf(body: Body): Content {
      if (body.#used) throw new TypeError('Body has already been used');
      return body.#content;
    }

    #take(): Content {
      const content = Body.copyOf(this);
      this.#used = content !== null;
      return content;
    }
  }

  class Request extends Body {
    readonly url: string;
    readonly method: string;
    readonly headers: Headers;
    readonly signal: unknown;

    constructor(input: unknown, init: RequestInit = {}) {
      const base = input instanceof Request ? input : undefined;
      const method = methodOf(init.method ?? base?.method ?? 'GET');
      const given = contentOf(init.body) ?? (base === undefined ? null : Body.copyOf(base));
      if (given !== null && (method === 'GET' || method === 'HEAD')) {
        throw new TypeError('Request with GET/HEAD method cannot have body.');
      }
      super(given);
      this.url = parts.normalise(base?.url ?? String(input));
      this.method = method;
      this.signal = init.signal ?? base?.signal;
      this.headers = new Headers(init.headers ?? base?.headers);
      if (!this.headers.has('content-type')) {
        const type = typeOf(init.body);
        if (type !== undefined) this.headers.set('content-type', type);
      }
    }

    clone(): Request {
      return new Request(this);
    }
  }

  class Response extends Body {
    readonly status: number;
    readonly statusText: string;
    readonly headers: Headers;
    readonly type: string;
    readonly url: string;
    readonly redirected = false;

    constructor(body: unknown = null, init: ResponseInit = {}, made?: { type: string; url: string }) {
      super(contentOf(body));
      const { status = 200, statusText = '' } = init;
      if (made === undefined && !(status >= 200 && status <= 599)) {
        throw new RangeError('init["status"] must be in the range of 200 to 599, inclusive.');
      }
      this.status = status;
      this.statusText = statusText;
      this.headers = new Headers(init.headers);
      if (!this.headers.has('content-type')) {
        const type = typeOf(body);
        if (type !== undefined && made === undefined) this.headers.set('content-type', type);
      }
      this.type = made?.type ?? 'default';
      this.url = made?.url ?? '';
    }

    get ok(): boolean {
      return this.status >= 200 && this.status <= 299;
    }

    clone(): Response {
      const { status, statusText, headers, type, url } = this;
      return new Response(Body.copyOf(this), { status, statusText, headers }, { type, url });
    }

    static json(data: unknown, init: ResponseInit = {}): Response {
      const headers = new Headers(init.headers);
      if (!headers.has('content-type')) headers.set('content-type', 'application/json');
      return new Response(JSON.stringify(data), { ...init, headers });
    }

    static error(): Response {
      return new Response(null, { status: 0 }, { type: 'error', url: '' });
    }
  }

  /** The request is made before anything is awaited, so that one whose answer nobody waits for is known as well. */
  function fetch(input: unknown, init?: RequestInit): Promise<Response> {
    try {
      const request = new Request(input, init);
      refuseAborted(request.signal);
      const content = Body.copyOf(request);
      const answer = network.answer({
        method: request.method,
        url: request.url,
        header: (name) => request.headers.get(name),
        body: typeof content === 'string' ? content : content === null ? '' : parts.decode(content),
      });
      if (answer === undefined) throw new TypeError('fetch failed');
      return Promise.resolve(responseTo(answer, request.url));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  function responseTo({ status, statusText, headers, body }: Exchange['response'], url: string): Response {
    return new Response(body, { status, statusText, headers }, { type: 'basic', url });
  }

  return { fetch, Request, Response };
}

/** What is aborted before it is made is not made. Later is too late, because the answer comes at once. */
function refuseAborted(signal: unknown): void {
  if (typeof signal !== 'object' || signal === null) return;
  if (Reflect.get(signal, 'aborted') === true) throw Reflect.get(signal, 'reason');
}

/** The usual methods are known in any case; others are taken as they are. */
function methodOf(method: unknown): string {
  const text = String(method);
  return /^(?:delete|get|head|options|post|put)$/i.test(text) ? text.toUpperCase() : text;
}

function contentOf(body: unknown): Content {
  if (body === undefined || body === null) return null;
  if (body instanceof ArrayBuffer) return new Uint8Array(body.slice(0));
  if (ArrayBuffer.isView(body)) {
    return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice();
  }
  return String(body);
}

function typeOf(body: unknown): string | undefined {
  if (typeof body === 'string') return 'text/plain;charset=UTF-8';
  const isQuery = typeof body === 'object' && body !== null && 'append' in body && 'sort' in body;
  return isQuery ? 'application/x-www-form-urlencoded;charset=UTF-8' : undefined;
}
