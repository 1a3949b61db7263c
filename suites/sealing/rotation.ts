/**
 * Rotates the identity: a new one is put before the old one, everything is sealed anew, and the old one is thrown away. A
 * service that dies in between has both when it starts again, and goes on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { eq } from 'drizzle-orm';
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import { secrets } from '../../migrations/tables.ts';
import { SuiteError } from '../errors.ts';
import { type Identity, leaveEarlier, renewIdentity, writeIdentity } from './identity.ts';
import type { IdentityState } from './identity-state.ts';
import { masterName } from './keys.ts';
import { resealAll } from './resealing.ts';
import { rotatedElsewhere } from './seal-for-storage.ts';
import type { Seals } from './sealing.ts';

export type RotationOptions = {
  database: Database;
  seals: Seals;
  identity: Identity;
  /** The file that the identity is kept in, or undefined if the environment gives it. */
  path: string | undefined;
  /** Whether earlier identities may be removed from that file when the service starts. */
  mayTidy: boolean;
  /** Sees to it that nothing is left on the disk of what rows held before they were sealed anew. */
  forget: () => Promise<void>;
};

export class Rotation {
  readonly #database: Database;
  readonly #seals: Seals;
  readonly #path: string | undefined;
  readonly #forget: () => Promise<void>;
  #identity: Identity;
  #state: IdentityState['state'] = 'settled';
  #unreadable = 0;
  #stopped = false;
  #resealing: Promise<void> = Promise.resolve();

  constructor({ database, seals, identity, path, mayTidy, forget }: RotationOptions) {
    this.#forget = forget;
    this.#database = database;
    this.#seals = seals;
    this.#path = path;
    this.#identity = identity;
    if (identity.secrets.length > 1)
      this.#begin(() => this.#putInForce('service', async () => identity), mayTidy);
  }

  get state(): IdentityState {
    return { recipient: this.#seals.recipient, state: this.#state, unreadable: this.#unreadable };
  }

  /**
   * Makes a new identity and puts it in force; what is stored is then sealed anew in the background. Throws `identity_given`,
   * `identity_rotating`, `identity_not_writable` and `identity_rotated`; then the identity is what it was.
   */
  async rotate(by: string): Promise<void> {
    const path = this.#path;
    if (path === undefined) {
      throw new SuiteError(
        'identity_given',
        'put a new one (of age-keygen) before the one in HOLDBACK_IDENTITY, separated by a space, restart, and remove the old one when `holdback identity show` says settled',
      );
    }
    if (this.#state === 'resealing') {
      throw new SuiteError('identity_rotating', 'wait until GET /identity says settled');
    }
    const inForce = this.#putInForce(by, async () => {
      const renewed = await renewIdentity(this.#identity);
      await writeIdentity(path, renewed);
      return renewed;
    });
    this.#begin(() => inForce, true);
    await inForce;
  }

  /** Waits until everything is sealed anew, or until it has failed, or for so long, in milliseconds. */
  async settle(ms: number): Promise<void> {
    const timeout = new AbortController();
    const over = sleep(ms, undefined, { signal: timeout.signal }).catch(() => {});
    await Promise.race([this.#resealing, over]);
    timeout.abort();
  }

  /** Stops sealing anew; what is left is for the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#resealing;
  }

  #begin(putInForce: () => Promise<void>, mayTidy: boolean): void {
    this.#state = 'resealing';
    this.#resealing = putInForce()
      .then(() => this.#reseal(mayTidy))
      .then(
        (isDone) => {
          this.#state = isDone ? 'settled' : 'stopped';
        },
        (error: unknown) => {
          this.#state = this.#identity.secrets.length > 1 ? 'stopped' : 'settled';
          const why = error instanceof Error && 'code' in error ? error.code : 'unexpected failure';
          process.emitWarning(`the identity is not rotated to its end: ${why}`);
        },
      );
  }

  /**
   * Makes an identity the one that seals. The database says which that is, for all processes: its secret is sealed to it first,
   * and nothing that is being stored meanwhile is missed, because storing waits for this and this for storing.
   */
  async #putInForce(by: string, make: () => Promise<Identity>): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const master = await lockMaster(transaction);
      if (master === undefined || !this.#seals.opens(master.recipient)) throw rotatedElsewhere();
      this.#identity = await make();
      this.#seals.exchange(this.#identity);
      const { recipient } = this.#identity;
      if (master.recipient === recipient) return;
      const sealed = await this.#seals.sealOwn(await this.#seals.openOwn(master.sealed));
      await transaction.update(secrets).set(sealed).where(eq(secrets.name, masterName));
      const about = { recipient, previous: master.recipient };
      await appendAudit(transaction, { by, action: 'identity.rotated', about });
    });
  }

  /** Whether it came to the end: everything is sealed anew, and the earlier identities are gone if they may go. */
  async #reseal(mayTidy: boolean): Promise<boolean> {
    for (;;) {
      const { resealed, unreadable } = await resealAll(this.#database, this.#seals, () => this.#stopped);
      if (this.#stopped) return false;
      this.#unreadable = unreadable;
      // Once more, until there is nothing more: something may have been stored behind the reader's back.
      if (resealed === 0) break;
    }
    await this.#forget();
    if (this.#path !== undefined && mayTidy) await this.#leaveEarlier(this.#path);
    return true;
  }

  async #leaveEarlier(path: string): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const master = await lockMaster(transaction);
      if (master?.recipient !== this.#seals.recipient) throw rotatedElsewhere();
      const left = leaveEarlier(this.#identity);
      await writeIdentity(path, left);
      this.#identity = left;
      this.#seals.exchange(left);
    });
  }
}

/** The secret that says which identity is in force. Until the transaction ends, nobody stores anything sealed, or changes it. */
async function lockMaster(transaction: Database) {
  const [master] = await transaction.select().from(secrets).where(eq(secrets.name, masterName)).for('update');
  return master;
}
