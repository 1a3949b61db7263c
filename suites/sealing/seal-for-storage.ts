/**
 * Seals what is about to be stored. To be called in the transaction that stores it: until that ends, the identity cannot be
 * rotated under it, so that nothing is ever stored sealed to an identity that is being thrown away.
 */
import { eq } from 'drizzle-orm';
import type { Database } from '../../migrations/open-database.ts';
import { secrets } from '../../migrations/tables.ts';
import { SuiteError } from '../errors.ts';
import { masterName } from './keys.ts';
import type { Sealed, Seals } from './sealing.ts';

/** Throws `identity_rotated` if another process has rotated the identity, and this one does not have the new one. */
export async function sealForStorage(transaction: Database, seals: Seals, text: string): Promise<Sealed> {
  const inForce = await holdIdentity(transaction);
  if (inForce !== undefined && !seals.opens(inForce)) throw rotatedElsewhere();
  return seals.seal(text);
}

/** The recipient of the identity in force, which stays in force until the transaction ends. */
export async function holdIdentity(transaction: Database): Promise<string | undefined> {
  const [master] = await transaction
    .select({ recipient: secrets.recipient })
    .from(secrets)
    .where(eq(secrets.name, masterName))
    .for('share');
  return master?.recipient;
}

export function rotatedElsewhere(): SuiteError {
  return new SuiteError(
    'identity_rotated',
    'another process has rotated the identity: restart this one with the new identity file',
  );
}
