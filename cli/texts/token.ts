/** Tokens and the service's identity, as people read them. */
import type { IdentityState } from '../../suites/sealing/identity-state.ts';
import type { ListedToken } from '../commands/token.ts';
import { printable } from '../printable.ts';

export const states: Record<IdentityState['state'], string> = {
  settled: 'settled, it alone opens everything',
  resealing: 'everything is being sealed anew to it',
  stopped: 'not everything could be sealed anew to it: restart the service, its log says why',
};

export function textOfToken(token: ListedToken): string {
  const { id, role, name, owner, gates, suites, expiresAt, lastUsedAt, revokedAt } = token;
  return printable(
    [
      `${id}  ${role}: ${name}`,
      ...(owner === null ? [] : [`of ${owner}`]),
      ...(gates === null ? [] : [`for gates ${gates.join(', ')}`]),
      ...(suites === null ? [] : [`for suites ${suites.join(', ')}`]),
      lastUsedAt === null ? 'never used' : `last used ${lastUsedAt}`,
      ...(expiresAt === null ? [] : [`ends ${expiresAt}`]),
      ...(revokedAt === null ? [] : [`revoked ${revokedAt}`]),
    ].join('; '),
  );
}
