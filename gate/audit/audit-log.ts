/**
 * The audit as its readers get it, and the signing of its heads: soon after records were appended, when a head is asked for, and at
 * the end. The service signs only what goes on from the head before it, so that nobody can have a rewritten history signed by
 * it. Nothing waits for a signature, and none that fails stops anything.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { asc, desc, eq, gt } from 'drizzle-orm';
import pLimit from 'p-limit';
import { type Database, reasonOf } from '../../migrations/open-database.ts';
import { audit, auditHeads } from '../../migrations/tables.ts';
import {
  type AuditFault,
  type AuditHead,
  type AuditRecord,
  type ChainCheck,
  chainStart,
  headText,
  verifyChain,
  verifyHeads,
} from './audit-chain.ts';

/** How often new records are looked for, in milliseconds: other processes append them too. */
const lookMs = 1_000;

/** The last head has this long to be signed when the service ends, in milliseconds. */
const closeMs = 2_000;

/** How many records are followed at a time. */
const pageRecords = 1_000;

/** What comes before an Ed25519 seed in PKCS #8 (RFC 8410). */
const seedPrefix = Buffer.from('302e020100300506032b657004220420', 'hex');

export class AuditLog {
  /** What heads are signed with: SubjectPublicKeyInfo in base64. */
  readonly publicKey: string;
  readonly #database: Database;
  readonly #key: KeyObject;
  readonly #turns = pLimit(1);
  /** The newest head that this process signed, or found and checked. */
  #head: AuditHead | null = null;
  #timer: NodeJS.Timeout | undefined;
  /** What was warned of last: a trouble that stays is told once. */
  #warnedOf = '';

  /** `seed` is that of an Ed25519 key, 32 bytes. */
  constructor(database: Database, seed: Buffer) {
    this.#database = database;
    this.#key = createPrivateKey({ key: Buffer.concat([seedPrefix, seed]), format: 'der', type: 'pkcs8' });
    this.publicKey = createPublicKey(this.#key).export({ format: 'der', type: 'spki' }).toString('base64');
  }

  /** Signs from now on, about a second after something was recorded, whoever did it. */
  start(): void {
    this.#timer ??= setInterval(() => {
      if (this.#turns.activeCount === 0) void this.#signOrWarn();
    }, lookMs).unref();
  }

  /** Records after a number, in their order. */
  records(after: number, limit: number): Promise<AuditRecord[]> {
    return this.#database
      .select()
      .from(audit)
      .where(gt(audit.sequence, after))
      .orderBy(asc(audit.sequence))
      .limit(limit);
  }

  /** Heads after a record's number, in their order. */
  heads(after: number, limit: number): Promise<AuditHead[]> {
    return this.#selectHeads()
      .where(gt(auditHeads.sequence, after))
      .orderBy(asc(auditHeads.sequence))
      .limit(limit);
  }

  /**
   * Signs the newest record, and answers the newest head: null before anything was recorded. Where the records do not go on from
   * the head before, that one stays the newest, and `fault` says what is wrong.
   */
  newestHead(): Promise<{ head: AuditHead | null; fault: AuditFault | null }> {
    return this.#turns(async () => {
      const fault = await this.#sign();
      return { head: this.#head, fault };
    });
  }

  /** Signs what is not signed yet, if that can be done in a moment, and stops. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const enough = new AbortController();
    const tooLong = sleep(closeMs, undefined, { signal: enough.signal }).catch(() => {});
    await Promise.race([this.#signOrWarn(), tooLong]);
    enough.abort();
  }

  async #signOrWarn(): Promise<void> {
    try {
      const { fault } = await this.newestHead();
      if (fault === null) this.#warnedOf = '';
      else
        this.#warnOnce(`it does not hold: ${fault.of} ${fault.sequence} is ${fault.kind}: ${fault.detail}`);
    } catch (error) {
      this.#warnOnce(`the database does not take it: ${reasonOf(error)}`);
    }
  }

  #warnOnce(what: string): void {
    if (what !== this.#warnedOf) process.emitWarning(`the audit is not signed any more, because ${what}`);
    this.#warnedOf = what;
  }

  /** Signs the newest record if it is not signed yet. Answers what is wrong with the records, if something is. */
  async #sign(): Promise<AuditFault | null> {
    this.#head ??= await this.#findHead();
    const check = await this.#follow(this.#head);
    if (!check.ok) return check.fault;
    const { last } = check;
    if (last.sequence === (this.#head?.sequence ?? 0)) return null;
    const signature = sign(null, headText(last), this.#key).toString('base64');
    const head = { ...last, signature, publicKey: this.publicKey };
    // Another process of the service may have signed the very same.
    await this.#database.insert(auditHeads).values(head).onConflictDoNothing();
    this.#head = head;
    return null;
  }

  /** The newest head of our own key, whoever else has put heads there; null if there is none, and all is to be followed. */
  async #findHead(): Promise<AuditHead | null> {
    const [head] = await this.#selectHeads()
      .where(eq(auditHeads.publicKey, this.publicKey))
      .orderBy(desc(auditHeads.sequence))
      .limit(1);
    if (head === undefined) return null;
    const itself = new Map([[head.sequence, head.hash]]);
    return verifyHeads([head], itself, this.publicKey) === undefined ? head : null;
  }

  /** Follows the records from the one that a head is of, which must still be there, to the newest. */
  async #follow(head: AuditHead | null): Promise<ChainCheck> {
    const last = head ?? chainStart;
    if (head !== null) {
      const hashes = new Map(
        (await this.records(head.sequence - 1, 1)).map(({ sequence, hash }) => [sequence, hash]),
      );
      const fault = verifyHeads([head], hashes, this.publicKey);
      if (fault !== undefined) return { ok: false, last, fault };
    }
    let check: ChainCheck = { ok: true, last };
    for (let isMore = true; isMore && check.ok; ) {
      const page = await this.records(check.last.sequence, pageRecords);
      isMore = page.length === pageRecords;
      check = verifyChain(page, check.last);
    }
    return check;
  }

  #selectHeads() {
    const { sequence, hash, signature, publicKey } = auditHeads;
    return this.#database.select({ sequence, hash, signature, publicKey }).from(auditHeads).$dynamic();
  }
}
