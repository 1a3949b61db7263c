/** The embedded database understands each statement once, and nobody who asks can tell. */
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PreparedPglite } from '../../migrations/prepared-pglite.ts';

describe('the embedded database that keeps its statements', () => {
  let kept: PreparedPglite | undefined;
  let plain: PGlite | undefined;
  const both = (): PGlite[] => [kept, plain].filter((one) => one !== undefined);
  const ask = async (statement: string, values: unknown[] = []) => {
    const [ours, theirs] = await Promise.all(
      both().map((client) =>
        client.query(statement, values).then(
          ({ rows, fields, affectedRows }) => ({ rows, fields, affectedRows }),
          (error: unknown) => ({ failed: Reflect.get(Object(error), 'code') }),
        ),
      ),
    );
    expect(ours).toEqual(theirs);
    return ours;
  };

  beforeAll(async () => {
    [kept, plain] = [new PreparedPglite(), new PGlite()];
    await Promise.all([kept.waitReady, plain.waitReady]);
    for (const client of both())
      await client.exec('CREATE TABLE t (id int PRIMARY KEY, b bytea, j jsonb, at timestamptz, list text[])');
  });
  afterAll(async () => {
    for (const client of both()) await client.close();
  });

  test('answers as it does without, however often it is asked, also between errors', async () => {
    const insert =
      'INSERT INTO t VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET j = excluded.j RETURNING *';
    for (let turn = 0; turn < 8; turn++) {
      await ask(insert, [
        turn % 3,
        Buffer.from([0, turn]),
        { turn, text: '\u2028é' },
        new Date(turn),
        ['a', null, `"${turn}`],
      ]);
      await ask('SELECT count(*), max(id) AS "largest" FROM t WHERE id >= $1', [turn]);
      await ask('SELECT 1 / ($1::int - 4) AS quotient', [turn]);
      await ask('SELECT * FROM nowhere');
      await ask('INSERT INTO t (id) VALUES ($1)', [turn % 3]);
      await ask('UPDATE t SET b = NULL WHERE id = $1', [100]);
      await ask('SELECT', []);
      await ask('SELECT $1::text', ['not', 'as many']);
    }
    expect(await ask('SELECT id FROM t ORDER BY id')).toMatchObject({
      rows: [{ id: 0 }, { id: 1 }, { id: 2 }],
    });
  });

  test('keeps nothing of a transaction that failed, and goes on after it', async () => {
    const count = 'SELECT count(*)::int AS rows FROM t';
    const before = await ask(count);
    for (const client of both())
      await expect(
        client.transaction(async (transaction) => {
          await transaction.query('INSERT INTO t (id) VALUES ($1)', [77]);
          await transaction.query(count);
          await transaction.query('INSERT INTO t (id) VALUES ($1)', [77]);
        }),
      ).rejects.toThrow('duplicate key');
    expect(await ask(count)).toEqual(before);
  });

  test('understands anew what no longer is as it was', async () => {
    await ask('SELECT * FROM t ORDER BY id');
    for (const client of both()) await client.exec('ALTER TABLE t ADD COLUMN more int DEFAULT 7');
    const first = await kept?.query('SELECT * FROM t ORDER BY id').catch((error: unknown) => error);
    expect(first).toMatchObject({ code: '0A000' });
    expect(await ask('SELECT * FROM t ORDER BY id')).toMatchObject({
      rows: [{ more: 7 }, { more: 7 }, { more: 7 }],
    });
  });

  test('keeps no more than a few hundred, and none that is long', async () => {
    const prepared = async () =>
      (await kept?.exec('SELECT name FROM pg_prepared_statements'))?.[0]?.rows.length ?? 0;
    const begun = await prepared();
    await kept?.query(`SELECT 1 AS n -- ${'long '.repeat(4_000)}`);
    expect(await prepared()).toBe(begun);
    for (let turn = 0; turn < 320; turn++)
      expect((await kept?.query(`SELECT ${turn} AS n`))?.rows).toEqual([{ n: turn }]);
    expect(await prepared()).toBe(300);
    expect((await kept?.query('SELECT 5 AS n'))?.rows).toEqual([{ n: 5 }]);
  });

  test('asks what it has asked before in one message', async () => {
    if (kept === undefined) throw new Error('there is no database');
    const statement = 'SELECT $1::int AS n';
    await kept.query(statement, [1]);
    const before = kept.messages;
    await kept.query(statement, [2]);
    expect(kept.messages - before).toBe(1);
  });
});
