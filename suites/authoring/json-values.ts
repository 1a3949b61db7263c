/**
 * How much structure a JSON text has, counted without reading it: reading a body of many megabytes of brackets would hold up
 * everything else for seconds.
 */

const quote = 0x22;
const backslash = 0x5c;
/** `,` `:` `[` `{`: each begins a value or a key. */
const beginnings = new Set([0x2c, 0x3a, 0x5b, 0x7b]);

/** Whether a JSON text holds more than so many keys and values. Long strings count once. */
export function hasMoreValuesThan(most: number, json: Uint8Array): boolean {
  let values = 0;
  let inString = false;
  for (let index = 0; index < json.length; index++) {
    const byte = json[index] ?? 0;
    if (inString) {
      if (byte === backslash) index++;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else if (beginnings.has(byte) && ++values > most) return true;
  }
  return false;
}
