/**
 * Virtual time: all that reads the clock in the language itself, reading a given clock instead. A candidate must
 * not find the real clock again by any way, so `Date` and `Intl` are changed with primordials captured before it
 * loads, and the engine's `Temporal.Now` is left unreachable.
 */
const { apply, construct, defineProperty, getOwnPropertyDescriptor } = Reflect;
const NativeDate = Date;
const nativeDateToString = NativeDate.prototype.toString;
const NativeIntl = Intl;
const WeakMapOf = WeakMap;
const { get: weakMapGet, set: weakMapSet } = WeakMapOf.prototype;

/** The virtual `Date`, installed as the constructor of its prototype, and what makes `Intl` and `Temporal` virtual. */
export interface VirtualTime {
  Date: DateConstructor;
  /** Changes the realm's `Intl` in place and returns it. To be called before the candidate can reach it. */
  Intl(): typeof Intl;
  /** Builds a `Temporal` of the engine's classes, with a virtual `Now`. */
  Temporal(): object;
}

/** Time as `nowMs` tells it, in milliseconds since the epoch. The time zone remains the host's. */
export function createVirtualTime(nowMs: () => number): VirtualTime {
  // A proxy, because all but three ways of using Date stay the engine's own: prototype, statics, name, subclassing.
  // Its handler inherits nothing, or Object.prototype could be given a trap that is handed the engine's Date.
  const handler = {
    __proto__: null,
    construct: (target, args, newTarget) =>
      construct(target, args.length === 0 ? [nowMs()] : args, newTarget),
    apply: () => apply(nativeDateToString, new NativeDate(nowMs()), []),
  } satisfies ProxyHandler<DateConstructor> & { __proto__: null };
  const VirtualDate = new Proxy(NativeDate, handler);
  NativeDate.now = function now() {
    return nowMs();
  };
  NativeDate.prototype.constructor = VirtualDate;

  return {
    Date: VirtualDate,
    Intl: () => virtualIntl(nowMs),
    Temporal: () => virtualTemporal(nowMs),
  };
}

/** `format()` and `formatToParts()` without a date format the current one; the other methods never read the clock. */
function virtualIntl(nowMs: () => number): typeof Intl {
  const { prototype } = NativeIntl.DateTimeFormat;
  const { formatToParts } = prototype;
  const formatGetter = getOwnPropertyDescriptor(prototype, 'format')?.get;
  if (formatGetter === undefined)
    throw new TypeError('this engine has no getter Intl.DateTimeFormat.prototype.format');
  const virtualFormats = new WeakMapOf<object, unknown>();
  const accessor = {
    get format(): unknown {
      const native = apply(formatGetter, this, []);
      const known = apply(weakMapGet, virtualFormats, [native]);
      if (known !== undefined) return known;
      const virtual = (date: unknown) => apply(native, undefined, [date === undefined ? nowMs() : date]);
      defineProperty(virtual, 'name', { value: '' });
      apply(weakMapSet, virtualFormats, [native, virtual]);
      return virtual;
    },
    formatToParts(date: unknown): unknown {
      return apply(formatToParts, this, [date === undefined ? nowMs() : date]);
    },
  };
  defineProperty(prototype, 'format', { get: getOwnPropertyDescriptor(accessor, 'format')?.get });
  defineProperty(prototype, 'formatToParts', { value: accessor.formatToParts });
  return NativeIntl;
}

/**
 * The engine builds its Temporal when it is first read, at the price of a whole realm, so installing must not
 * read it. Removed unread, it is put together again from the classes that a date leads to; its own `Now` is then
 * reachable from nowhere.
 */
function virtualTemporal(nowMs: () => number): object {
  const epoch = new NativeDate(0).toTemporalInstant();
  const zoned = epoch.toZonedDateTimeISO('UTC');
  const plainDate = zoned.toPlainDate();
  const instant = () => new NativeDate(nowMs()).toTemporalInstant();
  const timeZoneId = () => new NativeIntl.DateTimeFormat().resolvedOptions().timeZone;
  const inZone = (timeZone: Temporal.TimeZoneLike = timeZoneId()) => instant().toZonedDateTimeISO(timeZone);
  const now = {
    timeZoneId,
    instant,
    zonedDateTimeISO: (timeZone?: Temporal.TimeZoneLike) => inZone(timeZone),
    plainDateTimeISO: (timeZone?: Temporal.TimeZoneLike) => inZone(timeZone).toPlainDateTime(),
    plainDateISO: (timeZone?: Temporal.TimeZoneLike) => inZone(timeZone).toPlainDate(),
    plainTimeISO: (timeZone?: Temporal.TimeZoneLike) => inZone(timeZone).toPlainTime(),
  };
  return hidden('Temporal', {
    Now: hidden('Temporal.Now', now),
    PlainDate: plainDate.constructor,
    PlainTime: zoned.toPlainTime().constructor,
    PlainDateTime: zoned.toPlainDateTime().constructor,
    ZonedDateTime: zoned.constructor,
    Duration: epoch.until(epoch).constructor,
    Instant: epoch.constructor,
    PlainYearMonth: plainDate.toPlainYearMonth().constructor,
    PlainMonthDay: plainDate.toPlainMonthDay().constructor,
  });
}

/** Gives an object the look of a namespace of the language: properties not enumerable, and a tag. */
function hidden(tag: string, namespace: object): object {
  for (const key of Reflect.ownKeys(namespace)) defineProperty(namespace, key, { enumerable: false });
  defineProperty(namespace, Symbol.toStringTag, { value: tag, configurable: true });
  return namespace;
}
