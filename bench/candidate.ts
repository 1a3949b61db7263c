/** The candidate of the bench: a real library, about 30 KB when bundled and minified. */
import { satisfies, valid } from 'semver';

export function run({ version, range }: { version: string; range: string }) {
  return { valid: valid(version), satisfies: satisfies(version, range) };
}
