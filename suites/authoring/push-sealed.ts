/** Takes in a suite that its author sealed: it is opened, checked like any other, and kept as the suite's next revision, a draft. */

import { SuiteError } from '../errors.ts';
import { findSealedAt, type RevisionName } from '../revisions.ts';
import { openSealedFile, type SealedFile } from '../sealing/sealed-file.ts';
import { type Authoring, makeRevision, openStored } from './make-revision.ts';

/** The revision that a sealed file has become, and whether just now: pushed again, it is the same revision. */
export type Pushed = { name: RevisionName; isNew: boolean };

/** Throws the SuiteErrors of openSealedFile and makeRevision, with words for the author alone. */
export async function pushSealed(
  authoring: Authoring,
  suite: string,
  sealed: string,
  by: string,
): Promise<Pushed> {
  const file = await openSealedFile(authoring.seals, suite, sealed);
  const known = await findPushed(authoring, suite, file);
  if (known !== undefined) return { name: known, isNew: false };
  try {
    return { name: await makeRevision(authoring, suite, file.source, { by, file }), isNew: true };
  } catch (error) {
    if (!(error instanceof SuiteError && error.code === 'seal_rolled_back')) throw error;
    // Pushed twice at once, one of the two comes second.
    const first = await findPushed(authoring, suite, file);
    if (first === undefined) throw error;
    return { name: first, isNew: false };
  }
}

/** As `pushSealed`, for those who may learn nothing of what is in it: why it is refused is told to its author alone. */
export async function pushSealedBlindly(
  authoring: Authoring,
  suite: string,
  sealed: string,
  by: string,
): Promise<Pushed> {
  try {
    return await pushSealed(authoring, suite, sealed, by);
  } catch (cause) {
    if (!(cause instanceof SuiteError) || cause.code === 'identity_rotated') throw cause;
    throw new SuiteError(
      'sealed_suite_refused',
      'it does not open here, or is not a suite that can be sealed, or a later one was activated: ask its author to check it',
      { cause },
    );
  }
}

/** The revision that was made of this very file. That another has the same contents does not make it the same. */
async function findPushed(
  authoring: Authoring,
  suite: string,
  { sealedAt, digest }: SealedFile,
): Promise<RevisionName | undefined> {
  const name = await findSealedAt(authoring.database, suite, sealedAt);
  if (name === undefined) return undefined;
  const { file } = await openStored(authoring, name);
  return file === digest ? name : undefined;
}
