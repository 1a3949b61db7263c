/** Whether what was committed outlives a loss of power: asked before anybody is told of it. */
import type { DatabaseError } from '../errors.ts';

export type Durability = {
  /** Whether all that is committed now is on the disk. Known without asking anybody. */
  readonly isSettled: boolean;
  /** Why nothing can be written down at present. */
  readonly failure: DatabaseError | undefined;
  /** Resolves when all that was committed before the call is on the disk. Throws `journal_unwritable`. */
  settled(): Promise<void>;
  /** Forgets what rows were before: nothing that was changed or removed is left on the disk by us. Throws `journal_unwritable`. */
  renew(): Promise<void>;
};

/** Of a PostgreSQL, which has written down what it has committed, and keeps no journal of ours. */
export const ownDurability: Durability = {
  isSettled: true,
  failure: undefined,
  settled: async () => {},
  renew: async () => {},
};
