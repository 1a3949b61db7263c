/**
 * The globals of a realm: what JavaScript written for Node or a browser expects to find in a bare V8 context,
 * made deterministic. Time is virtual, chance is seeded, nothing waits, nothing is shared with other threads,
 * and garbage collection cannot be observed.
 *
 * It runs once in every fresh realm, before the candidate loads, so what it does at once is little: whatever
 * needs a library is a property that loads it when the candidate first touches it. A library loaded so late may
 * meet primordials that the candidate has replaced; what breaks by that is the candidate's own failure. What
 * keeps the real clock out of reach uses captured primordials only.
 */
import type { Clock } from '@sinonjs/fake-timers';
import { createVirtualTime } from './globals/time.ts';
import { createSilentRegistry, keepTargets } from './globals/weak.ts';
import type { Network } from './network.ts';

/** What is required, and not imported, is loaded on first use; `globals/bundle.ts` makes one function of each. */
declare const require: {
  (id: './globals/web.ts'): typeof import('./globals/web.ts');
  (id: './globals/encoding.ts'): typeof import('./globals/encoding.ts');
  (id: './globals/timers.ts'): typeof import('./globals/timers.ts');
  (id: './globals/random.ts'): typeof import('./globals/random.ts');
  (id: './globals/fetch.ts'): typeof import('./globals/fetch.ts');
};

/** What a case pretends of the world. */
export type RealmWorld = {
  /** Where the clock starts, in milliseconds since the epoch. */
  startMs?: number | undefined;
  /** What `fetch` reaches; without it there is no `fetch`. */
  network?: Network | undefined;
};

/** A realm's virtual world, in the hands of the code that runs a case. */
export interface Globals {
  /** Says what the case pretends; `seed` decides all that is random. To be called once, before the candidate loads. */
  enter(seed: number, world?: RealmWorld): void;
  /**
   * Moves the clock to the next due timer and fires it. Returns false when no timer is pending. Throws what the
   * timer's callback threw, or what a callback of `queueMicrotask` threw earlier: in Node either is an uncaught
   * exception and ends the program, so here it ends the case. Timers may start timers without end: the caller
   * bounds how often it advances.
   */
  advance(): boolean;
}

type Callback = (...args: unknown[]) => unknown;

/** Where a realm's clock starts unless its case says otherwise: 2026-01-01T00:00:00.000Z, in milliseconds since the epoch. */
const usualStartMs = 1_767_225_600_000;
const { construct, defineProperty, deleteProperty, ownKeys } = Reflect;
const TypeErrorOf = TypeError;
const { trunc } = Math;
const NumberOf = Number;

/** As Node does: anything but 1 to 2^31-1 is one millisecond, and fractions are cut off. */
function delayMs(delay: unknown): number {
  const ms = NumberOf(delay);
  return ms >= 1 && ms <= 2_147_483_647 ? trunc(ms) : 1;
}

function mustBeCallable(callback: unknown): void {
  if (typeof callback !== 'function') {
    throw new TypeErrorOf('The "callback" argument must be of type function');
  }
}

/** Makes the realm's globals, for whatever case it will be. To be called once, before the candidate loads. */
export function installGlobals(): Globals {
  let startMs = usualStartMs;
  let seed = 0;
  const realm: Record<string, unknown> = globalThis;
  const nativeConsole = console;
  let loading = false;
  let timers: Clock | undefined;
  let nextFloat: (() => number) | undefined;
  let uncaught: { error: unknown } | undefined;
  const now = () => (timers === undefined ? startMs : timers.now);
  const time = createVirtualTime(now);

  // Libraries look for native globals first, and would take ours for these: while one loads, it finds none.
  function load<T>(library: () => T): T {
    const outer = loading;
    loading = true;
    try {
      return library();
    } finally {
      loading = outer;
    }
  }

  function become(name: string, value: unknown): void {
    defineProperty(realm, name, { value, writable: true, enumerable: false, configurable: true });
  }

  function lazily(name: string, library: () => unknown): void {
    defineProperty(realm, name, {
      get() {
        if (loading) return undefined;
        const value = load(library);
        // Minified, the libraries' classes have lost their names.
        if (typeof value === 'function') defineProperty(value, 'name', { value: name, configurable: true });
        become(name, value);
        return value;
      },
      set: (value: unknown) => become(name, value),
      configurable: true,
    });
  }

  const startedTimers = () => {
    timers ??= load(() => require('./globals/timers.ts').createTimers(startMs));
    return timers;
  };

  async function runMicrotask(callback: Callback): Promise<void> {
    await undefined;
    try {
      callback();
    } catch (error) {
      uncaught ??= { error };
    }
  }

  realm.Date = time.Date;
  Math.random = function random() {
    // core-js makes itself names by chance; that must not use up the candidate's numbers.
    if (loading) return 0;
    nextFloat ??= load(() => require('./globals/random.ts').seededFloats(seed));
    return nextFloat();
  };
  deleteProperty(realm, 'WebAssembly');
  deleteProperty(realm, 'SharedArrayBuffer');
  deleteProperty(realm, 'Atomics');
  deleteProperty(realm, 'Temporal');
  lazily('Intl', time.Intl);
  lazily('Temporal', time.Temporal);
  lazily('WeakRef', keepTargets);
  lazily('FinalizationRegistry', createSilentRegistry);
  lazily('console', () => silenced(nativeConsole));
  lazily('crypto', () =>
    require('./globals/random.ts').seededCrypto(seed, () => load(require('./globals/web.ts').DOMException)),
  );
  lazily('URL', () => require('./globals/web.ts').URL());
  lazily('URLSearchParams', () => require('./globals/web.ts').URLSearchParams());
  lazily('DOMException', () => require('./globals/web.ts').DOMException());
  lazily('TextEncoder', () => require('./globals/encoding.ts').TextEncoder);
  lazily('TextDecoder', () => require('./globals/encoding.ts').TextDecoder);

  // Enumerable, as in Node. One by one, because Object.assign takes twice the time.
  realm.global = realm;
  realm.self = realm;
  const performance = {
    timeOrigin: startMs,
    now: () => now() - startMs,
    toJSON: () => ({ timeOrigin: startMs }),
  };
  realm.performance = performance;
  realm.structuredClone = function structuredClone(...args: unknown[]) {
    return loading ? undefined : load(require('./globals/web.ts').structuredClone)(...args);
  };
  realm.atob = function atob(...args: unknown[]) {
    return loading ? undefined : load(require('./globals/web.ts').atob)(...args);
  };
  realm.btoa = function btoa(...args: unknown[]) {
    return loading ? undefined : load(require('./globals/web.ts').btoa)(...args);
  };
  realm.queueMicrotask = function queueMicrotask(callback: Callback) {
    mustBeCallable(callback);
    runMicrotask(callback);
  };
  realm.setTimeout = function setTimeout(callback: Callback, delay: unknown, ...args: unknown[]) {
    if (loading) return undefined;
    mustBeCallable(callback);
    return startedTimers().setTimeout(callback, delayMs(delay), ...args);
  };
  realm.setInterval = function setInterval(callback: Callback, delay: unknown, ...args: unknown[]) {
    mustBeCallable(callback);
    return startedTimers().setInterval(callback, delayMs(delay), ...args);
  };
  realm.setImmediate = function setImmediate(callback: Callback, ...args: unknown[]) {
    mustBeCallable(callback);
    return startedTimers().setImmediate(callback, ...args);
  };
  realm.clearTimeout = function clearTimeout(timer: Parameters<Clock['clearTimeout']>[0]) {
    timers?.clearTimeout(timer);
  };
  realm.clearInterval = function clearInterval(timer: Parameters<Clock['clearInterval']>[0]) {
    timers?.clearInterval(timer);
  };
  realm.clearImmediate = function clearImmediate(timer: Parameters<Clock['clearImmediate']>[0]) {
    timers?.clearImmediate(timer);
  };

  function installFetch(network: Network): void {
    const { createFetch, ...classes } = load(() => require('./globals/fetch.ts'));
    const { fetch, Request, Response } = createFetch(network, {
      encode: (text) => {
        const { TextEncoder } = load(() => require('./globals/encoding.ts'));
        return new TextEncoder().encode(text);
      },
      decode: (bytes) => {
        const { TextDecoder } = load(() => require('./globals/encoding.ts'));
        return new TextDecoder().decode(bytes);
      },
      normalise: (url) => normalUrl(load(require('./globals/web.ts').URL), url),
    });
    for (const [name, value] of Object.entries({ ...classes, fetch, Request, Response })) {
      defineProperty(value, 'name', { value: name, configurable: true });
      become(name, value);
    }
  }

  return {
    enter(givenSeed, world) {
      seed = givenSeed;
      if (world?.startMs !== undefined) {
        startMs = world.startMs;
        performance.timeOrigin = startMs;
      }
      if (world?.network !== undefined) installFetch(world.network);
    },
    advance() {
      if (uncaught !== undefined) throw uncaught.error;
      if (timers === undefined || timers.countTimers() === 0) return false;
      timers.next();
      return true;
    },
  };
}

function normalUrl(URLOf: unknown, text: string): string {
  if (typeof URLOf !== 'function') throw new TypeErrorOf('there is no URL');
  const url: { hash: string; href: string } = construct(URLOf, [text]);
  url.hash = '';
  return url.href;
}

/** A console of the same methods, none of which looks at what it is given; the engine's own formats its arguments. */
function silenced(nativeConsole: object): object {
  const methods: Record<PropertyKey, unknown> = {};
  for (const name of ownKeys(nativeConsole)) {
    if (name !== 'context' && typeof name === 'string') methods[name] = { [name]() {} }[name];
  }
  defineProperty(methods, Symbol.toStringTag, { value: 'console', configurable: true });
  return methods;
}
