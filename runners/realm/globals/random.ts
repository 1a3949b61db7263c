/** Seeded chance: the numbers behind `Math.random` and `crypto`, the same for the same seed. */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

const bytesMax = 65_536;

/** A function that gives numbers from 0 to below 1. */
export function seededFloats(seed: number): () => number {
  const generator = xoroshiro128plus(seed);
  // Neighbouring seeds begin alike; a jump takes them far apart.
  generator.jump();
  return () => uniformFloat64(generator);
}

/** The seeded part of Web Crypto; `DOMException` names the errors, as the standard wants it. */
export function seededCrypto(
  seed: number,
  DOMException: () => new (message: string, name: string) => unknown,
): object {
  const generator = xoroshiro128plus(seed);
  // The second jump separates these numbers from those of Math.random.
  generator.jump();
  generator.jump();

  const fill = (bytes: Uint8Array) => {
    for (let index = 0; index < bytes.length; index++) bytes[index] = generator.next() >>> 24;
    return bytes;
  };

  return {
    getRandomValues(array: unknown): unknown {
      if (
        !ArrayBuffer.isView(array) ||
        !/^(Big)?(Ui|I)nt/.test(Object.prototype.toString.call(array).slice(8))
      ) {
        throw new (DOMException())('The data must be an integer typed array', 'TypeMismatchError');
      }
      if (array.byteLength > bytesMax) {
        throw new (DOMException())(`More than ${bytesMax} bytes were requested`, 'QuotaExceededError');
      }
      fill(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
      return array;
    },
    randomUUID(): string {
      const hex = Array.from(fill(new Uint8Array(16)), (byte, index) => {
        if (index === 6) byte = (byte & 0x0f) | 0x40;
        if (index === 8) byte = (byte & 0x3f) | 0x80;
        return byte.toString(16).padStart(2, '0');
      }).join('');
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    },
    get [Symbol.toStringTag]() {
      return 'Crypto';
    },
  };
}
