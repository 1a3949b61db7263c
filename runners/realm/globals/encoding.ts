/** `TextEncoder` and `TextDecoder` without the tables of the multi-byte encodings. */
export { TextDecoder, TextEncoder } from '@exodus/bytes/encoding-lite.js';
