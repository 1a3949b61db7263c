/**
 * `holdback audit …`: who did what and when, and whether that is still what was recorded. The service only hands out its
 * records and heads; what they are worth is checked here.
 */
import { z } from 'zod';
import {
  type AuditFault,
  type AuditHead,
  type AuditRecord,
  auditFaultSchema,
  auditHeadSchema,
  auditRecordSchema,
  type ChainCheck,
  chainStart,
  parsePublicKey,
  verifyChain,
  verifyHeads,
} from '../../gate/audit/audit-chain.ts';
import type { Arguments } from '../arguments.ts';
import { readBytes } from '../build.ts';
import { type Client, connect } from '../client.ts';
import type { Command } from '../command.ts';
import { CommandError, usageError } from '../errors.ts';
import { withProgress } from '../progress.ts';

/** What came of a check. It says whether the audit holds only together: `holds` is true exactly where there is no fault. */
export type AuditCheck = {
  holds: boolean;
  /** How many records, from the first on, follow one another as they should and are covered by a signed head. */
  records: number;
  /** How many signed heads were held against them. */
  heads: number;
  /** The newest head, to be kept elsewhere. */
  head: AuditHead | null;
  /** What heads had to be signed with. */
  publicKey: string;
  fault: AuditFault | null;
};

const nextSchema = z.number().nullable();
const recordsSchema = z.looseObject({ records: z.array(auditRecordSchema.loose()), next: nextSchema });
const headsSchema = z.looseObject({ heads: z.array(auditHeadSchema.loose()), next: nextSchema });
const newestSchema = z.looseObject({
  publicKey: z.string(),
  head: auditHeadSchema.loose().nullable(),
  fault: auditFaultSchema.loose().nullable(),
});

/** The most that the service answers at once. */
const pageMax = 1_000;

export const auditVerifyCommand: Command = {
  words: 'audit verify',
  about: 'Check that no record of the audit was edited, dropped or reordered, and that its heads are signed.',
  positionals: [],
  flags: {
    head: {
      value: 'FILE',
      about: 'A head that was kept, as --json prints it: the audit must still hold it.',
    },
    key: {
      value: 'BASE64',
      about: "The service's public key, as --json prints it, instead of what it says itself.",
    },
  },
  notes: [
    'Keep the head that this prints where nobody who could change the audit can change it too. Without --head or',
    '--key the service is asked for the key, and whoever owns it and its database could have written another audit.',
    'Exit codes: 0 the audit holds, 1 it does not, 2 usage, 3 the service could not be had.',
  ],
  async run(given) {
    const kept = await readKept(given);
    const key = readKey(given);
    return {
      kind: 'audit_checked',
      check: await withProgress('checking the audit', verify(connect(given.environment), kept, key)),
    };
  },
};

export const auditListCommand: Command = {
  words: 'audit list',
  about: 'List who did what and when: the newest records, or those after one.',
  positionals: [],
  flags: {
    after: { value: 'N', about: 'List the records that follow record N.' },
    limit: { value: 'N', about: 'How many at most (50).' },
  },
  notes: ['What is listed is not checked: holdback audit verify does that.'],
  async run(given) {
    const limit = given.number('limit', { min: 1, max: pageMax, whole: true }) ?? 50;
    const asked = given.number('after', { min: 0, max: Number.MAX_SAFE_INTEGER, whole: true });
    const client = connect(given.environment);
    const after = asked ?? Math.max(0, ((await askNewest(client)).head?.sequence ?? 0) - limit);
    const { records, next } = await askRecords(client, after, limit);
    return { kind: 'audit_records', records, next };
  },
};

type Kept = { head: AuditHead; file: string };

/** Reads all heads, then all records: those that are appended meanwhile are in no head that was read. */
async function verify(client: Client, kept: Kept | undefined, key: string | undefined): Promise<AuditCheck> {
  const { head, publicKey: ownKey, fault: ownFault } = await askNewest(client);
  const publicKey = key ?? kept?.head.publicKey ?? ownKey;
  const heads = [...(await askAllHeads(client)), ...(head === null ? [] : [head])];
  const wanted = new Set([...heads, ...(kept === undefined ? [] : [kept.head])].map((each) => each.sequence));
  const { chain, hashes } = await followAll(client, wanted);
  const { last } = chain;
  // Where the chain breaks, an earlier record may have been rewritten: the heads up to there tell.
  const due = (each: AuditHead) => chain.ok || each.sequence <= last.sequence;
  const fault =
    verifyHeads(heads.filter(due), hashes, publicKey) ??
    (chain.ok ? undefined : chain.fault) ??
    wrongWithKept(kept, hashes, publicKey) ??
    ownFault ??
    (head === null ? unsigned(last.sequence) : null);
  const signed = new Set(heads.map(({ sequence }) => sequence)).size;
  // Those that were appended meanwhile follow one another, but nobody has signed them yet.
  const records = Math.min(last.sequence, head?.sequence ?? 0);
  return { holds: fault === null, records, heads: signed, head, publicKey, fault };
}

/** Follows the chain from the first record until it ends or breaks, and keeps the hashes of the records that are wanted. */
async function followAll(client: Client, wanted: ReadonlySet<number>) {
  const hashes = new Map<number, string>();
  let chain: ChainCheck = { ok: true, last: chainStart };
  for (let after: number | null = 0; after !== null && chain.ok; ) {
    const page = await askRecords(client, after, pageMax);
    const before: number = chain.last.sequence;
    chain = verifyChain(page.records, chain.last);
    for (const { sequence, hash } of page.records.slice(0, chain.last.sequence - before)) {
      if (wanted.has(sequence)) hashes.set(sequence, hash);
    }
    if (chain.ok) after = following(after, page.next);
  }
  return { chain, hashes };
}

async function askAllHeads(client: Client): Promise<AuditHead[]> {
  const heads: AuditHead[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const page = await askHeads(client, after);
    heads.push(...page.heads);
    after = following(after, page.next);
  }
  return heads;
}

/** What is wrong with records that come without a head: anybody can hash a chain, so that nothing speaks for them. */
function unsigned(records: number): AuditFault {
  return records === 0
    ? {
        of: 'record',
        sequence: 1,
        kind: 'dropped',
        detail: 'there is none, and a service records its first token',
      }
    : { of: 'head', sequence: records, kind: 'dropped', detail: 'there is none, and no record is signed' };
}

function wrongWithKept(
  kept: Kept | undefined,
  hashes: ReadonlyMap<number, string>,
  publicKey: string,
): AuditFault | undefined {
  const fault = kept === undefined ? undefined : verifyHeads([kept.head], hashes, publicKey);
  return fault && { ...fault, detail: `it is the head in ${kept?.file}, and ${fault.detail}` };
}

function askNewest(client: Client) {
  return client.ask({ method: 'GET', path: ['audit', 'head'] }, newestSchema);
}

function askRecords(
  client: Client,
  after: number,
  limit: number,
): Promise<{ records: AuditRecord[]; next: number | null }> {
  const query = { after: String(after), limit: String(limit) };
  return client.ask({ method: 'GET', path: ['audit'], query }, recordsSchema);
}

function askHeads(client: Client, after: number): Promise<{ heads: AuditHead[]; next: number | null }> {
  const query = { after: String(after), limit: String(pageMax) };
  return client.ask({ method: 'GET', path: ['audit', 'heads'], query }, headsSchema);
}

/** Where the next page starts. Throws for a page that leads back, which would be read for ever. */
function following(after: number, next: number | null): number | null {
  if (next === null || next > after) return next;
  throw new CommandError('service', 'answer_not_understood', 'the service answers pages that do not go on');
}

/** A head as it was printed: alone, or in all that `audit verify --json` prints. */
const keptSchema = z.union([
  auditHeadSchema,
  z.looseObject({ head: auditHeadSchema }).transform(({ head }) => head),
]);

async function readKept(given: Arguments): Promise<Kept | undefined> {
  const file = given.text('head');
  if (file === undefined) return undefined;
  const head = keptSchema.safeParse(parseJson(new TextDecoder().decode(await readBytes(file))));
  if (head.success && parsePublicKey(head.data.publicKey) !== undefined) return { head: head.data, file };
  throw usageError(`${file} holds no head: give a file with what \`holdback audit verify --json\` printed`);
}

function readKey(given: Arguments): string | undefined {
  const key = given.text('key');
  if (key === undefined || parsePublicKey(key) !== undefined) return key;
  throw given.wrong('--key is no Ed25519 key in base64: give the `publicKey` that --json printed');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
