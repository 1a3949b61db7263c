/**
 * A suite that its author sealed before it left their machine: an age file in ASCII armour, to the service's recipient. It may
 * lie in any repository and be pushed by anybody; the service alone opens it. It names its suite and when it was sealed, so
 * that it stands for no other suite, and cannot bring back an older one.
 */
import { armor } from 'age-encryption';
import { z } from 'zod';
import { quoted, readBy } from '../authoring/faults.ts';
import { hasMoreValuesThan } from '../authoring/json-values.ts';
import { SuiteError } from '../errors.ts';
import { type AuthoredSuite, authoredSuiteSchema, slugSchema, suiteValuesMax } from '../suite.ts';
import { digestOf, type Seals, seal } from './sealing.ts';

const format = 'holdback sealed suite';
const version = 1;

/** Clocks may differ by this much, in milliseconds. */
const aheadMsMax = 10 * 60_000;

const envelopeSchema = z.strictObject({
  format: z.literal(format),
  version: z.literal(version),
  suite: slugSchema,
  sealedAt: z.iso.datetime(),
  source: authoredSuiteSchema,
});

export type SealedFile = {
  source: AuthoredSuite;
  sealedAt: Date;
  /** The SHA-256 of the age file's bytes. */
  digest: string;
};

/** Seals a suite under its name. `source` is its JSON text, of which every key, escape and number is kept as it is. */
export async function sealFile(suite: string, source: string, recipient: string): Promise<string> {
  const sealedAt = new Date().toISOString();
  const start = JSON.stringify({ format, version, suite, sealedAt }).slice(0, -1);
  return armor.encode(await seal(`${start},"source":${source}}`, [recipient]));
}

/**
 * Opens a sealed suite that was pushed to a suite of this name. Throws `sealed_suite_broken`, `seal_wrong_suite`,
 * `seal_not_yet`, and `suite_invalid` with the place of what is wrong.
 */
export async function openSealedFile(seals: Seals, suite: string, text: string): Promise<SealedFile> {
  const bytes = readArmor(text);
  const clear = await seals.open(bytes).catch((cause: unknown) => {
    throw broken(
      `it does not open with the identity of ${seals.recipient}: it was altered, or sealed to another recipient`,
      cause,
    );
  });
  if (hasMoreValuesThan(suiteValuesMax, Buffer.from(clear))) {
    throw new SuiteError(
      'suite_invalid',
      `what was sealed holds more than ${suiteValuesMax} keys and values`,
    );
  }
  const envelope = readBy(envelopeSchema, readJson(clear));
  if (!envelope.ok) {
    const [{ path, detail }] = envelope.faults;
    throw new SuiteError('suite_invalid', `what was sealed is not a suite: ${[...path, detail].join(': ')}`);
  }
  const { suite: sealedFor, source, sealedAt: time } = envelope.value;
  if (sealedFor !== suite) {
    throw new SuiteError(
      'seal_wrong_suite',
      `it was sealed as ${quoted(sealedFor)}: seal it with --suite ${suite}`,
    );
  }
  const sealedAt = new Date(time);
  if (sealedAt.getTime() > Date.now() + aheadMsMax) {
    throw new SuiteError(
      'seal_not_yet',
      `it says that it was sealed at ${time}: set the clock, and seal it again`,
    );
  }
  return { source, sealedAt, digest: digestOf(bytes) };
}

function readArmor(text: string): Uint8Array {
  try {
    return armor.decode(text);
  } catch (cause) {
    throw broken('it is not an age file in ASCII armour, or not all of one', cause);
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw broken('what was sealed is not JSON', cause);
  }
}

function broken(what: string, cause: unknown): SuiteError {
  const again = 'seal it again with `holdback suite seal`, to the recipient that GET /recipient tells';
  return new SuiteError('sealed_suite_broken', `${what}: ${again}`, { cause });
}
