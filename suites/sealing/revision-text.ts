/**
 * The clear text of a stored revision: a line that binds it, then its contents. The line names the suite and the revision and
 * carries a tag that only this service can make. So whoever can write the database, and knows the public recipient, still
 * cannot forge a revision, put that of another suite in its place, or bring back an older one.
 */
import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { SuiteError } from '../errors.ts';
import type { RevisionName } from '../revisions.ts';
import { slugSchema } from '../suite.ts';
import type { Keys } from './keys.ts';
import { isSame } from './sealing.ts';

const format = 'holdback revision 1';

const bindingSchema = z.strictObject({
  format: z.literal(format),
  suite: slugSchema,
  revision: z.int().positive(),
  /** The SHA-256 of the sealed file that the revision was made from, if its author sealed it. */
  file: z.string().nullable(),
  tag: z.string(),
});

/** What is stored beside the sealed bytes about one revision. */
type Bound = RevisionName & { digest: string; file: string | null };

/** The visible name of contents: the same for the same contents, and nobody without the key can try guesses against it. */
export function contentsDigest(keys: Keys, contents: string): string {
  return `hmac-sha256:${createHmac('sha256', keys.revisionDigest).update(contents).digest('hex')}`;
}

/** The text to seal. `contents` is JSON text, and `digest` its digest. */
export function bindRevision(keys: Keys, bound: Bound, contents: string): string {
  const { suite, revision, file } = bound;
  const binding = { format, suite, revision, file, tag: tagOf(keys, bound).toString('hex') };
  return `${JSON.stringify(binding)}\n${contents}`;
}

/** The contents of an opened text, which must be those of this very revision and digest. Throws `seal_broken`. */
export function readBoundRevision(
  keys: Keys,
  name: RevisionName & { digest: string },
  text: string,
): { contents: string; file: string | null } {
  const end = text.indexOf('\n');
  const parsed = bindingSchema.safeParse(readJson(text.slice(0, Math.max(0, end))));
  if (!parsed.success) throw notItsOwn(name, 'it was not sealed by this service');
  const { suite, revision, file, tag } = parsed.data;
  const contents = text.slice(end + 1);
  const digest = contentsDigest(keys, contents);
  if (!isSame(Buffer.from(tag, 'hex'), tagOf(keys, { suite, revision, digest, file }))) {
    throw notItsOwn(name, 'it was not sealed by this service');
  }
  if (suite !== name.suite || revision !== name.revision) {
    throw notItsOwn(name, `it was sealed as revision ${revision} of ${suite}`);
  }
  if (digest !== name.digest) throw notItsOwn(name, 'its digest is another');
  return { contents, file };
}

export function notItsOwn({ suite, revision }: RevisionName, why: string): SuiteError {
  return new SuiteError(
    'seal_broken',
    `what is stored as revision ${revision} of ${suite} is not what was sealed: ${why}`,
  );
}

function tagOf(keys: Keys, { suite, revision, digest, file }: Bound): Buffer {
  const bound = JSON.stringify([format, suite, revision, digest, file]);
  return createHmac('sha256', keys.revisionTag).update(bound).digest();
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
