/** Functions and classes of the web platform, each loaded when it is asked for; they share one `DOMException`. */

/** core-js-pure comes without types; these values are only ever handed on to the realm. */
declare const require: {
  (id: 'core-js-pure/internals/shared-store'): unknown;
  (id: 'core-js-pure/actual/url'): unknown;
  (id: 'core-js-pure/actual/url-search-params'): unknown;
  (id: 'core-js-pure/actual/structured-clone'): (...args: unknown[]) => unknown;
  (id: 'core-js-pure/actual/atob'): (...args: unknown[]) => unknown;
  (id: 'core-js-pure/actual/btoa'): (...args: unknown[]) => unknown;
  (id: 'core-js-pure/actual/dom-exception'): new (message: string, name: string) => unknown;
};

// A property of globalThis, by which copies of core-js find each other; the candidate's and ours stay strangers.
require('core-js-pure/internals/shared-store');
Reflect.deleteProperty(globalThis, '__core-js_shared__');

export const URL = () => require('core-js-pure/actual/url');
export const URLSearchParams = () => require('core-js-pure/actual/url-search-params');
export const structuredClone = () => require('core-js-pure/actual/structured-clone');
export const atob = () => require('core-js-pure/actual/atob');
export const btoa = () => require('core-js-pure/actual/btoa');
export const DOMException = () => require('core-js-pure/actual/dom-exception');
