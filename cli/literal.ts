/** A carried value as the source of an expression: what JSON cannot say is written as JavaScript says it. */

/** The tags of `docs/values.md` whose values have an expression that makes them; of the others the tag itself is written. */
const tags: Record<string, ((value: unknown) => string) | undefined> = {
  $undefined: () => 'undefined',
  $number: (value) => String(value),
  $bigint: (value) => `${value}n`,
  $date: (value) => `new Date(${value === 'Invalid Date' ? 'NaN' : JSON.stringify(value)})`,
  $map: (value) => `new Map(${literal(value)})`,
  $set: (value) => `new Set(${literal(value)})`,
  $typed: (value) =>
    Array.isArray(value)
      ? `new ${value[0]}(${literal(value[1])})`
      : `undefined /* ${JSON.stringify(value)} */`,
  $buffer: (value) => `new Uint8Array(${literal(value)}).buffer`,
  $error: (value) =>
    `Object.assign(new Error(${literal(memberOf(value, 'message'))}), { name: ${literal(memberOf(value, 'name'))} })`,
  $instance: (value) => literal(value),
  $bare: (value) => `Object.assign(Object.create(null), ${literal(value)})`,
  $object: (value) => plain(value),
};

/** The source of an expression for a value as it is carried. */
export function literal(carried: unknown): string {
  if (Array.isArray(carried)) {
    const elements = carried.map((each) => (isHole(each) ? '' : literal(each)));
    // A hole at the end needs a comma of its own.
    return `[${elements.join(', ')}${isHole(carried.at(-1)) ? ',' : ''}]`;
  }
  const [entry, ...more] = typeof carried === 'object' && carried !== null ? Object.entries(carried) : [];
  const tag = entry !== undefined && more.length === 0 ? tags[entry[0]] : undefined;
  return tag === undefined ? plain(carried) : tag(entry?.[1]);
}

function plain(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return Array.isArray(value) ? literal(value) : (JSON.stringify(value) ?? 'undefined');
  }
  // As a computed key, `__proto__` is a key like any other.
  const members = Object.entries(value).map(([key, member]) => {
    const name = key === '__proto__' ? '["__proto__"]' : JSON.stringify(key);
    return `${name}: ${literal(member)}`;
  });
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}

function isHole(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, '$hole');
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
