/** Who shares cases: what is kept in memory is what the database would say, whoever has added revisions since. */
import { rm } from 'node:fs/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { findSharers, type Sharers } from '../../gate/disclosure/sharers.ts';
import { type Database, openDatabase } from '../../migrations/open-database.ts';
import { appendRevision, type RevisionName } from '../../suites/revisions.ts';
import { type PostgresServer, startPostgres } from '../postgres-server.ts';
import { copyTemplate } from '../template-database.ts';
import { temporaryFolder } from '../temporary-folder.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.close());

const digestOf = (number: number) => `${number}`.padStart(64, '0').split('').reverse().join('');

/** Appends a revision of these cases. */
async function append(database: Database, suite: string, numbers: number[]): Promise<RevisionName> {
  const cases = numbers.map((number) => ({ digest: digestOf(number), expiresAt: undefined }));
  const about = { digest: '', spentAt: undefined, tripwires: 0, sealedAt: undefined, createdBy: 'somebody' };
  return appendRevision(database, { suite, cases, ...about }, async () => ({
    sealed: new Uint8Array(),
    recipient: '',
  }));
}

const nameOf = ({ suite, revision }: RevisionName) => `${suite}@${revision}`;

/** By case, who has it. */
function holdersByCase({ revisions, groups }: Sharers): Record<string, string[]> {
  return Object.fromEntries(
    groups.flatMap(({ digests, holders }) =>
      digests.map((digest) => [
        digest,
        holders
          .flatMap((holder) => revisions[holder] ?? [])
          .map(nameOf)
          .sort(),
      ]),
    ),
  );
}

async function sharersOf(on: Database, root: Database, name: RevisionName, count = 0) {
  const { sharers, count: known } = await findSharers(on, root, [name], count);
  const [only] = sharers;
  if (only === undefined) throw new Error('nothing was found');
  return { known, holders: holdersByCase(only) };
}

async function open(databaseUrl?: string): Promise<Database> {
  const dataDir = await temporaryFolder();
  if (databaseUrl === undefined) await copyTemplate(dataDir);
  const opened = await openDatabase({ dataDir, databaseUrl });
  onTestFinished(async () => {
    await opened.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  return opened.database;
}

describe.each(['PGlite', 'PostgreSQL'])('on %s', (kind) => {
  test('each case of a revision is held by the revisions that have it, however often and wherever', async () => {
    const database = await open(kind === 'PGlite' ? undefined : server.url);
    const made: { name: RevisionName; numbers: number[] }[] = [];
    const suites = fc.constantFrom('one', 'two', 'three');
    const numbers = fc.array(fc.nat(6), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(suites, numbers, async (suite, cases) => {
        made.push({ name: await append(database, suite, cases), numbers: cases });
        for (const { name, numbers: own } of made.slice(-3)) {
          const expected = Object.fromEntries(
            own.map((number) => {
              const holders = made.filter((each) => each.numbers.includes(number));
              return [digestOf(number), holders.map((each) => nameOf(each.name)).sort()];
            }),
          );
          expect((await sharersOf(database, database, name, made.length)).holders).toEqual(expected);
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe('on one PostgreSQL', () => {
  test('what another process adds is known as soon as there are more revisions than were known', async () => {
    const [ours, theirs] = [await open(server.emptyUrl), await open(server.emptyUrl)];
    const name = await append(ours, 'one', [1, 2]);
    const alone = await sharersOf(ours, ours, name);
    expect(alone.holders).toEqual({ [digestOf(1)]: ['one@1'], [digestOf(2)]: ['one@1'] });
    await append(theirs, 'two', [2]);
    expect((await sharersOf(ours, ours, name, alone.known + 1)).holders).toEqual({
      [digestOf(1)]: ['one@1'],
      [digestOf(2)]: ['one@1', 'two@1'],
    });
  });

  test('what a transaction reads that sees fewer revisions than are known is not kept', async () => {
    const [ours, theirs] = [await open(server.emptyUrl), await open(server.emptyUrl)];
    const [three, four] = [await append(ours, 'three', [3]), await append(ours, 'four', [3])];
    const before = { [digestOf(3)]: ['four@1', 'three@1'] };
    const after = { [digestOf(3)]: ['five@1', 'four@1', 'three@1'] };
    await ours.transaction(
      async (snapshot) => {
        await snapshot.execute('SELECT count(*) FROM revisions');
        await append(theirs, 'five', [3]);
        expect((await sharersOf(ours, ours, three)).holders).toEqual(after);
        expect((await sharersOf(snapshot, ours, four)).holders).toEqual(before);
      },
      { isolationLevel: 'repeatable read' },
    );
    expect((await sharersOf(ours, ours, four)).holders).toEqual(after);
  });
});
