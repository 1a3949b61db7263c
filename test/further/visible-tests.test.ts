/** The visible tests as CI tells them: read in three forms, within bounds, whoever wrote the report. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countVisibleTests } from '../../gate/visible-tests.ts';
import { scores } from '../../migrations/tables.ts';
import { scoreRequest, sealSuite, startWorld, type World } from '../world.ts';

const one = '<testcase name="a" classname="b" time="0.1"/>';

describe('a report in JUnit XML', () => {
  test.each([
    ['an empty one', '<testsuites/>', 0, 0],
    ['one case', `<testsuite>${one}</testsuite>`, 1, 1],
    [
      'suites within suites, with a declaration and comments',
      `\uFEFF<?xml version="1.0" encoding="UTF-8"?>\n<!-- made -- by -->\n<testsuites><testsuite>${one}<testsuite>${one}</testsuite></testsuite></testsuites>`,
      2,
      2,
    ],
    [
      'failures, errors and skipped ones, which do not count',
      `<testsuite tests="9" failures="0">${one}<testcase><failure message="no">x</failure></testcase><testcase><error/></testcase><testcase><skipped/></testcase></testsuite>`,
      1,
      3,
    ],
    [
      'output that looks like a report',
      `<testsuite><testcase><system-out><![CDATA[<!DOCTYPE html><testcase><failure/></testcase>]]></system-out></testcase></testsuite>`,
      1,
      1,
    ],
    [
      'flaky ones that passed in the end',
      '<testsuite><testcase><flakyFailure/></testcase></testsuite>',
      1,
      1,
    ],
    [
      'entities, which stay what they are',
      '<testsuite><testcase name="&lol;&#0;"><failure>&lol;</failure></testcase></testsuite>',
      0,
      1,
    ],
  ])('is counted: %s', (_what, junit, passed, total) => {
    expect(countVisibleTests({ junit })).toEqual({ passed, total });
  });

  test.each([
    ['cut off', `<testsuite>${one}<testca`],
    ['no XML', 'TAP version 14'],
    ['another XML', '<html><testcase/></html>'],
    ['only opened', '<'.repeat(200_000)],
    ['deeply nested', `${'<testsuite>'.repeat(5_000)}${'</testsuite>'.repeat(5_000)}`],
    [
      'with entities that would grow',
      '<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]><testsuite name="&lol2;"/>',
    ],
    ['with a file of ours', '<?xml version="1.0"?><!doctype t SYSTEM "file:///etc/passwd"><testsuite/>'],
    ['hidden behind a comment', '<!-- --><!DOCTYPE t [<!ENTITY a "b">]><testsuite/>'],
    ['never ending', '<testsuite><![CDATA['],
  ])('is refused, in a moment: %s', (_what, junit) => {
    expect(() => countVisibleTests({ junit })).toThrow(
      expect.objectContaining({ code: 'visible_tests_unreadable' }),
    );
  });
});

describe('POST /score with visibleTests', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ HOLDBACK_POOL: '1', HOLDBACK_CONCURRENCY: '1' });
    await sealSuite(world, 'seen', { cases: [{ name: 'one', input: 1, expect: { equals: 1 } }] });
  });
  afterAll(() => world.close());

  const request = (visibleTests: unknown, change = 'PR-1') => ({
    ...scoreRequest('seen', 'export const run = (x) => x;', change),
    visibleTests,
  });
  const kept = async (id: unknown) => {
    const [row] = await world.service.database.database
      .select({ passed: scores.visiblePassed, total: scores.visibleTotal })
      .from(scores)
      .where(eq(scores.id, `${id}`));
    return row;
  };

  test.each([
    ['counts', { passed: 3, total: 4 }, { passed: 3, total: 4 }],
    ['JUnit XML', { junit: `<testsuite>${one}</testsuite>` }, { passed: 1, total: 1 }],
    [
      'CTRF',
      {
        ctrf: {
          reportFormat: 'CTRF',
          results: {
            tool: { name: 'vitest' },
            summary: { tests: 9, passed: 5, failed: 2, pending: 1, skipped: 1, other: 0, start: 1, stop: 2 },
            tests: [{ name: '__proto__', status: 'passed', duration: 1 }],
          },
        },
      },
      { passed: 5, total: 7 },
    ],
    ['nothing', undefined, { passed: null, total: null }],
  ])('keeps what CI said in %s, and tells ci nothing of it', async (_what, visibleTests, expected) => {
    const ci = await world.as('ci');
    const scored = await ci('POST', '/score', request(visibleTests));
    expect(scored.json).toMatchObject({ verdict: 'merge' });
    expect(Object.keys(Object(scored.json)).sort()).toEqual(
      ['canMerge', 'candidate', 'change', 'gate', 'id', 'reason', 'revisions', 'state', 'verdict'].sort(),
    );
    expect(await kept(Reflect.get(Object(scored.json), 'id'))).toEqual(expected);
  });

  test.each([
    ['more passed than there are', { passed: 5, total: 4 }, 'invalid_request'],
    ['a negative count', { passed: -1, total: 4 }, 'invalid_request'],
    ['half a test', { passed: 0.5, total: 4 }, 'invalid_request'],
    ['no number', { passed: null, total: 4 }, 'invalid_request'],
    ['more tests than anybody has', { passed: 1, total: 1e300 }, 'invalid_request'],
    ['two forms at once', { passed: 1, total: 1, junit: '<testsuite/>' }, 'invalid_request'],
    ['nothing known', {}, 'invalid_request'],
    ['a text', '<testsuite/>', 'invalid_request'],
    ['XML without an end', { junit: `<testsuite>${one.repeat(10_000)}` }, 'invalid_request'],
    ['a CTRF report without its summary', { ctrf: { results: { tests: [] } } }, 'invalid_request'],
    ['XML that is cut off', { junit: '<testsuite>' }, 'visible_tests_unreadable'],
  ])('says clearly what is wrong with %s, and scores nothing', async (_what, visibleTests, code) => {
    const before = await world.service.database.database.$count(scores);
    const refused = await world.admin('POST', '/score', request(visibleTests));
    expect(refused.json).toMatchObject({ code });
    expect([400, 422]).toContain(refused.status);
    expect(refused.text).toMatch(/visible ?tests/i);
    expect(await world.service.database.database.$count(scores)).toBe(before);
  });

  test('is another request with the same idempotency key if the counts are others, and the same if they are not', async () => {
    const headers = { 'idempotency-key': 'a key' };
    const first = await world.admin('POST', '/score', request({ passed: 1, total: 1 }), headers);
    const same = await world.admin(
      'POST',
      '/score',
      request({ junit: `<testsuite>${one}</testsuite>` }),
      headers,
    );
    expect(same.json).toEqual(first.json);
    for (const other of [{ passed: 0, total: 1 }, undefined]) {
      const refused = await world.admin('POST', '/score', request(other), headers);
      expect(refused.json).toMatchObject({ code: 'idempotency_conflict' });
    }
  });
});
