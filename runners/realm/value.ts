/**
 * Carried values: the only form in which data crosses between a realm and the rest of the world. What JSON
 * says is carried as JSON, what JSON cannot say is tagged, and everything else is refused.
 *
 * This file runs inside realms beside hostile code. It captures every primordial when it loads, before the
 * candidate does; it reads own data descriptors only, each once; and the encoder builds strings, never
 * arrays, because a setter planted on a prototype would see what is put into an array.
 */

/** JSON data in which what JSON cannot say is tagged, as in `{"$number": "NaN"}`. docs/values.md lists the tags. */
export type CarriedValue =
  | null
  | boolean
  | number
  | string
  | CarriedValue[]
  | { [key: string]: CarriedValue };

/** What encoding gives: carried JSON text, or the reason why the value cannot be carried. */
export type Encoded = { ok: true; text: string } | { ok: false; reason: string };

/** Nesting deeper than this is refused: far above honest data, far below any stack's end. */
export const depthMax = 500;

/** Stands in for a class of the sender's: the properties are carried, the class itself is not. */
export class CarriedInstance {}

const {
  apply,
  construct,
  ownKeys,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  defineProperty,
  setPrototypeOf,
} = Reflect;
const { isArray } = Array;
const { parse, stringify } = JSON;
const { is, prototype: objectPrototype } = Object;
const hasOwn: (object: object, key: PropertyKey) => boolean = Object.hasOwn;
const isError: (value: unknown) => boolean = Error.isError;
const notANumber = Number.NaN;
const StringOf = String;
const BigIntOf = BigInt;
const DateOf = Date;
const MapOf = Map;
const SetOf = Set;
const ErrorOf = Error;
const Uint8ArrayOf = Uint8Array;
const mapForEach = Map.prototype.forEach;
const mapGet: (this: Map<string, Untag>, key: string) => Untag | undefined = Map.prototype.get;
const mapSet = Map.prototype.set;
const setForEach = Set.prototype.forEach;
const { toISOString, getTime } = Date.prototype;
const { startsWith } = String.prototype;
const typedArrayPrototype = getPrototypeOf(Uint8Array.prototype) ?? objectPrototype;
const typedArrayName = getterOf(typedArrayPrototype, Symbol.toStringTag);
const typedArrayLength = getterOf(typedArrayPrototype, 'length');
const bufferByteLength = getterOf(ArrayBuffer.prototype, 'byteLength');
const bufferResizable = getterOf(ArrayBuffer.prototype, 'resizable');
const mapSize = getterOf(Map.prototype, 'size');
const setSize = getterOf(Set.prototype, 'size');

/** Objects of these kinds keep their state where no own property shows it: carrying the properties would lie. */
const opaquePrototypes = {
  promise: Promise.prototype,
  regexp: RegExp.prototype,
  weakMap: WeakMap.prototype,
  weakSet: WeakSet.prototype,
  boolean: Boolean.prototype,
  number: Number.prototype,
  string: String.prototype,
  symbol: Symbol.prototype,
  bigint: BigInt.prototype,
  function: Function.prototype,
  view: DataView.prototype,
  iterator: Iterator.prototype,
};

function getterOf(prototype: object, key: string | symbol): () => unknown {
  const getter = getOwnPropertyDescriptor(prototype, key)?.get;
  if (getter === undefined) throw new ErrorOf(`this engine has no getter ${StringOf(key)}`);
  return getter;
}

function toNumber(value: unknown): number {
  if (typeof value !== 'number') throw new ErrorOf('a typed array holds numbers');
  return value;
}

function toBigInt(value: unknown): bigint {
  if (typeof value !== 'bigint') throw new ErrorOf('a typed array of this kind holds bigints');
  return value;
}

/** Thrown within the encoder alone, never shown to the candidate: `encode` turns it into `ok: false`. */
class Refused {
  readonly #reason: string;
  constructor(reason: string) {
    this.#reason = reason;
  }

  /** The reason, if it was the encoder that threw. Looking at a private member runs no trap of a thrown Proxy. */
  static reasonOf(thrown: unknown): string | undefined {
    return typeof thrown === 'object' && thrown !== null && #reason in thrown ? thrown.#reason : undefined;
  }
}

/** A linked list of what is being encoded, so that a cycle is found without an array or a Set. */
type Ancestors = { value: object; up: Ancestors; depth: number } | null;

/**
 * Encodes a value of this realm as carried JSON text of at most `charsMax` characters.
 * Candidate code can run here only through a Proxy's traps; every property is still read once.
 */
export function encode(value: unknown, charsMax: number): Encoded {
  try {
    const text = encodeValue(value, null, charsMax);
    return text.length > charsMax ? tooLong(charsMax) : { ok: true, text };
  } catch (error) {
    return { ok: false, reason: Refused.reasonOf(error) ?? 'reading the value failed' };
  }
}

function tooLong(charsMax: number): Encoded {
  return { ok: false, reason: `longer than ${charsMax} characters` };
}

function encodeValue(value: unknown, up: Ancestors, room: number): string {
  switch (typeof value) {
    case 'string':
      if (value.length > room) throw new Refused('too long');
      return stringify(value);
    case 'number':
      return encodeNumber(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'undefined':
      return '{"$undefined":true}';
    case 'bigint': {
      // A bigint of n digits costs n² to print, so its size is bounded before it is printed.
      if (value >= 1n << 65536n || value <= -(1n << 65536n)) throw new Refused('a bigint too long');
      return `{"$bigint":"${value}"}`;
    }
    case 'object':
      return value === null ? 'null' : encodeObject(value, up, room);
    default:
      throw new Refused(`a ${typeof value} cannot be carried`);
  }
}

function encodeNumber(value: number): string {
  if (is(value, -0)) return '{"$number":"-0"}';
  if (is(value, notANumber)) return '{"$number":"NaN"}';
  if (value === 1 / 0) return '{"$number":"Infinity"}';
  if (value === -1 / 0) return '{"$number":"-Infinity"}';
  return `${value}`;
}

function encodeObject(value: object, up: Ancestors, room: number): string {
  const depth = up === null ? 1 : up.depth + 1;
  if (depth > depthMax) throw new Refused(`nested deeper than ${depthMax} levels, or in a cycle`);
  if (depth > 8) refuseCycle(value, up);
  const here: Ancestors = { value, up, depth };
  if (isArray(value)) return encodeArray(value, here, room);
  const prototype = getPrototypeOf(value);
  // A prototype can be changed: an error with that of an object is still no plain object.
  if ((prototype === objectPrototype || prototype === null) && isError(value)) {
    throw new Refused('an error in the guise of a plain object');
  }
  if (prototype === objectPrototype) return encodeEntries(value, '', here, room);
  if (prototype === null) return encodeEntries(value, '$bare', here, room);
  return encodeExotic(value, here, room) ?? encodeEntries(value, '$instance', here, room);
}

function refuseCycle(value: object, up: Ancestors): void {
  for (let at = up; at !== null; at = at.up) if (at.value === value) throw new Refused('a cycle');
}

/** The own data property, read once. A hole or missing property gives undefined; an accessor is refused. */
function ownData(object: object, key: string | symbol): PropertyDescriptor | undefined {
  const descriptor = getOwnPropertyDescriptor(object, key);
  if (descriptor !== undefined && !hasOwn(descriptor, 'value')) throw new Refused('an accessor property');
  return descriptor;
}

function encodeArray(array: object, here: Ancestors, room: number): string {
  const length: unknown = ownData(array, 'length')?.value;
  // Each element takes at least two characters, so that a sparse giant is refused before it is walked.
  if (typeof length !== 'number' || length * 2 > room) throw new Refused('an array too long');
  const keys = ownKeys(array);
  let out = '[';
  let present = 0;
  for (let index = 0; index < length; index++) {
    const descriptor = ownData(array, `${index}`);
    if (index > 0) out += ',';
    if (descriptor === undefined) out += '{"$hole":true}';
    else {
      present++;
      out += encodeValue(descriptor.value, here, room - out.length);
    }
    if (out.length > room) throw new Refused('too long');
  }
  // 'length' is the one own key that is no element.
  if (keys.length !== present + 1) throw new Refused('an array with properties besides its elements');
  return `${out}]`;
}

function encodeEntries(object: object, tag: string, here: Ancestors, room: number): string {
  const keys = ownKeys(object);
  let out = '';
  let carried = 0;
  let onlyKey = '';
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index];
    if (key === undefined) continue;
    const descriptor = getOwnPropertyDescriptor(object, key);
    if (descriptor === undefined || descriptor.enumerable !== true) continue;
    if (!hasOwn(descriptor, 'value')) throw new Refused('an accessor property');
    if (typeof key === 'symbol') throw new Refused('a property named by a symbol');
    if (key.length + out.length > room) throw new Refused('too long');
    const entry = encodeValue(descriptor.value, here, room - out.length);
    out += `${carried > 0 ? ',' : ''}${stringify(key)}:${entry}`;
    if (out.length > room) throw new Refused('too long');
    carried++;
    onlyKey = key;
  }
  const entries = `{${out}}`;
  // A URL or a Temporal date shows nothing of its state, and so would equal every other one.
  if (tag === '$instance' && carried === 0)
    throw new Refused('an object of a class that shows no properties');
  if (tag !== '') return `{"${tag}":${entries}}`;
  // A plain object that looks like a tag is wrapped, so that data can never be taken for one.
  return carried === 1 && onlyKey !== '' && onlyKey[0] === '$' ? `{"$object":${entries}}` : entries;
}

/** Calls a captured method or getter that throws for objects of another kind. */
function ask(method: () => unknown, self: object): unknown {
  try {
    return apply(method, self, []);
  } catch {
    return undefined;
  }
}

function encodeExotic(value: object, here: Ancestors, room: number): string | undefined {
  const time = ask(getTime, value);
  if (typeof time === 'number') {
    return is(time, notANumber) ? '{"$date":"Invalid Date"}' : `{"$date":"${apply(toISOString, value, [])}"}`;
  }
  const name = ask(typedArrayName, value);
  if (typeof name === 'string') return encodeTypedArray(value, name, here, room);
  if (ask(mapSize, value) !== undefined) return encodeMap(value, here, room);
  if (ask(setSize, value) !== undefined) return encodeSet(value, here, room);
  if (ask(bufferByteLength, value) !== undefined) {
    if (ask(bufferResizable, value) === true) throw new Refused('a resizable buffer');
    const bytes: object = construct(Uint8ArrayOf, [value]);
    return `{"$buffer":${encodeElements(bytes, here, room)}}`;
  }
  if (isError(value)) return `{"$error":${encodeError(value, room)}}`;
  refuseOpaque(value);
  return undefined;
}

function refuseOpaque(value: object): void {
  for (let at = getPrototypeOf(value), steps = 0; at !== null && at !== objectPrototype; steps++) {
    if (steps > 100) throw new Refused('a prototype chain too long');
    for (const kind in opaquePrototypes) {
      // `for … in` also meets keys planted on Object.prototype: only our own are compared.
      const opaque = getOwnPropertyDescriptor(opaquePrototypes, kind);
      if (opaque !== undefined && opaque.value === at) throw new Refused(`a ${kind} cannot be carried`);
    }
    at = getPrototypeOf(at);
  }
}

function encodeTypedArray(value: object, name: string, here: Ancestors, room: number): string {
  return `{"$typed":["${name}",${encodeElements(value, here, room)}]}`;
}

function encodeElements(elements: object, here: Ancestors, room: number): string {
  const length = ask(typedArrayLength, elements);
  if (typeof length !== 'number' || length * 2 > room) throw new Refused('a typed array too long');
  let out = '[';
  for (let index = 0; index < length; index++) {
    const element: unknown = getOwnPropertyDescriptor(elements, `${index}`)?.value;
    out += `${index > 0 ? ',' : ''}${encodeValue(element, here, room - out.length)}`;
    if (out.length > room) throw new Refused('too long');
  }
  return `${out}]`;
}

function encodeMap(map: object, here: Ancestors, room: number): string {
  let out = '';
  const visit = (value: unknown, key: unknown): void => {
    const pair = `[${encodeValue(key, here, room)},${encodeValue(value, here, room)}]`;
    out += out === '' ? pair : `,${pair}`;
    if (out.length > room) throw new Refused('too long');
  };
  apply(mapForEach, map, [visit]);
  return `{"$map":[${out}]}`;
}

function encodeSet(set: object, here: Ancestors, room: number): string {
  let out = '';
  const visit = (value: unknown): void => {
    const element = encodeValue(value, here, room);
    out += out === '' ? element : `,${element}`;
    if (out.length > room) throw new Refused('too long');
  };
  apply(setForEach, set, [visit]);
  return `{"$set":[${out}]}`;
}

/**
 * What a thrown value or an error tells of itself, as `{"name":…,"message":…}`: data properties only, found on
 * the object or its prototypes, so that no getter of the candidate's runs.
 */
export function encodeError(thrown: unknown, charsMax: number): string {
  const isObject = (typeof thrown === 'object' && thrown !== null) || typeof thrown === 'function';
  const name = isObject ? inheritedText(thrown, 'name') : typeof thrown;
  const message = isObject ? inheritedText(thrown, 'message') : primitiveText(thrown);
  if (name.length + message.length > charsMax) throw new Refused('an error too long');
  return `{"name":${stringify(name)},"message":${stringify(message)}}`;
}

function primitiveText(value: unknown): string {
  if (typeof value === 'bigint') return 'a bigint';
  return StringOf(value);
}

function inheritedText(object: object, key: string): string {
  let at: object | null = object;
  for (let steps = 0; at !== null && steps < 100; steps++) {
    const descriptor: PropertyDescriptor | undefined = getOwnPropertyDescriptor(at, key);
    if (descriptor !== undefined) {
      const value: unknown = hasOwn(descriptor, 'value') ? descriptor.value : undefined;
      return typeof value === 'string' ? value : '';
    }
    at = getPrototypeOf(at);
  }
  return '';
}

/** Decodes carried JSON text into values of this realm. Throws an Error that says which tag is wrong. */
export function decode(text: string): unknown {
  return revive(parse(text), 1);
}

/** Whether a hole is decoded as undefined. */
let fillsHoles = false;

/**
 * Decodes what a candidate returned for a function that asks about it. A hole is `undefined` there: `every`, `some` and their like pass
 * over holes, so that a function which asks about each element would accept as many holes as it asks for.
 */
export function decodeForAsking(text: string): unknown {
  fillsHoles = true;
  try {
    return decode(text);
  } finally {
    fillsHoles = false;
  }
}

/** What stands in place of `{"$output": …, "at": …}` while the input of a step is decoded. */
type OutputOf = (output: unknown, at: unknown) => unknown;
let outputOf: OutputOf | undefined;

/**
 * Decodes the input of a step, in which `{"$output": n}` stands for the output of an earlier one. That is done beside the candidate:
 * what it has replaced by then can break its own input, and nothing else.
 */
export function decodeStep(text: string, resolve: OutputOf): unknown {
  outputOf = resolve;
  try {
    return decode(text);
  } finally {
    outputOf = undefined;
  }
}

function revive(node: unknown, depth: number): unknown {
  if (typeof node !== 'object' || node === null) return node;
  if (outputOf !== undefined && hasOwn(node, '$output')) {
    return outputOf(
      getOwnPropertyDescriptor(node, '$output')?.value,
      getOwnPropertyDescriptor(node, 'at')?.value,
    );
  }
  if (depth > depthMax + 50) throw new ErrorOf(`nested deeper than ${depthMax} levels`);
  if (isArray(node)) return reviveArray(node, depth);
  const keys = ownKeys(node);
  const only = keys.length === 1 ? keys[0] : undefined;
  if (typeof only === 'string' && apply(startsWith, only, ['$'])) {
    const tagged: unknown = getOwnPropertyDescriptor(node, only)?.value;
    untags ??= makeUntags();
    const untag = apply(mapGet, untags, [only]);
    if (untag !== undefined) return untag(tagged, depth);
  }
  return reviveEntries(node, depth);
}

function reviveEntries<T extends object>(node: T, depth: number): T {
  for (const key of ownKeys(node)) {
    const value: unknown = getOwnPropertyDescriptor(node, key)?.value;
    if (typeof value !== 'object' || value === null) continue;
    // Defined, not assigned: assigning to `__proto__` would change the prototype.
    defineProperty(node, key, { ...plainProperty, value: revive(value, depth + 1) });
  }
  return node;
}

const plainProperty = { writable: true, enumerable: true, configurable: true };

function isHole(node: unknown): boolean {
  return typeof node === 'object' && node !== null && ownKeys(node).length === 1 && hasOwn(node, '$hole');
}

function reviveArray(node: unknown[], depth: number): unknown[] {
  for (let index = 0; index < node.length; index++) {
    const element = node[index];
    if (isHole(element) && fillsHoles) node[index] = undefined;
    else if (isHole(element)) delete node[index];
    else node[index] = revive(element, depth + 1);
  }
  return node;
}

function wrongTag(tag: string, wants: string): Error {
  return new ErrorOf(`${tag} wants ${wants}`);
}

function arrayOf(tag: string, node: unknown, depth: number): unknown[] {
  if (!isArray(node)) throw wrongTag(tag, 'an array');
  return reviveArray(node, depth);
}

function objectOf(tag: string, node: unknown): object {
  if (typeof node !== 'object' || node === null || isArray(node)) throw wrongTag(tag, 'an object');
  return node;
}

/** What Date.prototype.toISOString writes, and its shorter forms that name the same time everywhere. */
const isoTime =
  /^(?:\d{4}|[+-]\d{6})-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

type Untag = (node: unknown, depth: number) => unknown;

/** How each tag is read. A single key that starts with `$` and is not listed here is ordinary data. */
let untags: Map<string, Untag> | undefined;

/** Made when the first tag is met: a realm whose input has none does without. */
function makeUntags(): Map<string, Untag> {
  return new Map<string, Untag>([
    [
      '$undefined',
      (node) => {
        if (node !== true) throw wrongTag('$undefined', 'true');
        return undefined;
      },
    ],
    [
      '$number',
      (node) => {
        if (node === 'NaN') return notANumber;
        if (node === 'Infinity') return 1 / 0;
        if (node === '-Infinity') return -1 / 0;
        if (node === '-0') return -0;
        throw wrongTag('$number', '"NaN", "Infinity", "-Infinity" or "-0"');
      },
    ],
    [
      '$bigint',
      (node) => {
        if (typeof node !== 'string' || !/^-?\d{1,20000}$/.test(node)) {
          throw wrongTag('$bigint', 'the digits of an integer, as a string');
        }
        return BigIntOf(node);
      },
    ],
    [
      '$date',
      (node) => {
        if (node === 'Invalid Date') return new DateOf(notANumber);
        // The engine reads more than ISO 8601, and some of it by the machine's time zone.
        const date = new DateOf(typeof node === 'string' && isoTime.test(node) ? node : notANumber);
        if (is(date.getTime(), notANumber)) throw wrongTag('$date', 'an ISO 8601 time or "Invalid Date"');
        return date;
      },
    ],
    [
      '$hole',
      () => {
        throw wrongTag('$hole', 'to be an element of an array');
      },
    ],
    [
      '$map',
      (node, depth) => {
        if (!isArray(node)) throw wrongTag('$map', 'an array');
        const map = new MapOf();
        for (let index = 0; index < node.length; index++) {
          apply(mapSet, map, pairOf(node[index], depth));
        }
        return map;
      },
    ],
    ['$set', (node, depth) => new SetOf(arrayOf('$set', node, depth))],
    [
      '$typed',
      (node, depth) => {
        const [name, elements] = isArray(node) ? node : [];
        const array = typedArrayOf(name, arrayOf('$typed', elements, depth));
        if (array === undefined) throw wrongTag('$typed', 'the name of a typed array and its elements');
        return array;
      },
    ],
    ['$buffer', (node, depth) => Uint8ArrayOf.from(arrayOf('$buffer', node, depth), toNumber).buffer],
    [
      '$error',
      (node) => {
        const fields = objectOf('$error', node);
        const name: unknown = getOwnPropertyDescriptor(fields, 'name')?.value;
        const message: unknown = getOwnPropertyDescriptor(fields, 'message')?.value;
        if (typeof name !== 'string' || typeof message !== 'string') {
          throw wrongTag('$error', 'a name and a message');
        }
        const error = new ErrorOf(message);
        defineProperty(error, 'name', { writable: true, enumerable: false, configurable: true, value: name });
        return error;
      },
    ],
    [
      '$instance',
      (node, depth) => {
        const instance = reviveEntries(objectOf('$instance', node), depth);
        setPrototypeOf(instance, CarriedInstance.prototype);
        return instance;
      },
    ],
    [
      '$bare',
      (node, depth) => {
        const bare = reviveEntries(objectOf('$bare', node), depth);
        setPrototypeOf(bare, null);
        return bare;
      },
    ],
    ['$object', (node, depth) => reviveEntries(objectOf('$object', node), depth)],
  ]);
}

/** A typed array of the named kind, or undefined where there is no such kind. */
function typedArrayOf(name: unknown, elements: unknown[]): object | undefined {
  for (const kind of [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array]) {
    if (kind.name === name) return kind.from(Array.from(elements, toNumber));
  }
  for (const kind of [Uint32Array, Float16Array, Float32Array, Float64Array]) {
    if (kind.name === name) return kind.from(Array.from(elements, toNumber));
  }
  for (const kind of [BigInt64Array, BigUint64Array]) {
    if (kind.name === name) return kind.from(Array.from(elements, toBigInt));
  }
  return undefined;
}

/** The pair is part of the map's own level: the encoder counts no depth for it either. */
function pairOf(node: unknown, depth: number): [unknown, unknown] {
  if (!isArray(node) || node.length !== 2) throw wrongTag('$map', 'pairs of key and value');
  const [key, value] = reviveArray(node, depth);
  return [key, value];
}
