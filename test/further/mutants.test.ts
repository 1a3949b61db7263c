/** What is decided about mutants without running any: what of a bundle is mutated, what cases are worth, how a survivor is shown. */
import { describe, expect, test } from 'vitest';
import { worthOfCases } from '../../gate/strength/kills.ts';
import { mutantDiff } from '../../gate/strength/mutant-diff.ts';
import { fileOfLine, ownRanges } from '../../runners/mutants/own-ranges.ts';

describe('of a bundle', () => {
  const bundle = [
    'var __defProp = Object.defineProperty;',
    '// node_modules/left-pad/index.js',
    'var pad = 1;',
    '// src/price.ts',
    'var price = 2;',
    '// see the notes in other.ts',
    '// ../shared/node_modules/x/y.mjs',
    'var y = 3;',
    '// src/index.ts',
    'var run = 4;',
  ].join('\n');

  test("what is the author's own is mutated, and neither what came from node_modules nor esbuild's helpers", () => {
    expect(ownRanges(bundle)).toEqual([
      { start: { line: 3, column: 0 }, end: { line: 6, column: 0 } },
      { start: { line: 8, column: 0 }, end: { line: 10, column: 0 } },
    ]);
    expect([2, 4, 5, 9].map((line) => fileOfLine(bundle.split('\n'), line))).toEqual([
      'node_modules/left-pad/index.js',
      'src/price.ts',
      'src/price.ts',
      'src/index.ts',
    ]);
  });

  test('all is mutated where nothing tells whose it is, and so is what stands above the first file', () => {
    expect(ownRanges('var a = 1;\n// a comment')).toBe(true);
    expect(ownRanges('var a = 1;\n// node_modules/b/c.js\nvar b = 2;')).toEqual([
      { start: { line: 0, column: 0 }, end: { line: 1, column: 0 } },
    ]);
  });
});

describe('of a table of kills', () => {
  test('cases that kill nothing, that another makes needless, and a small set that does as much', () => {
    //           0 kills a b, 1 kills b c, 2 kills a b c, 3 kills d, 4 kills nothing
    const killedBy = [[0, 2], [0, 1, 2], [1, 2], [3]];
    expect(worthOfCases(5, killedBy)).toEqual({ idle: [4], redundant: [0, 1, 2], smallest: [2, 3] });
  });

  test('what was chosen early is left out again where later choices make it needless', () => {
    // Greedy takes 0 first (four mutants), then needs 1 and 2, which have these four between them.
    const killedBy = [[0, 1], [0, 1], [0, 2], [0, 2], [1], [2]];
    expect(worthOfCases(3, killedBy).smallest).toEqual([1, 2]);
  });

  test('where nothing is killed no case is worth anything', () => {
    expect(worthOfCases(2, [])).toEqual({ idle: [0, 1], redundant: [], smallest: [] });
  });
});

describe('a survivor is shown', () => {
  const at = (line: number, column: number) => ({ line, column });

  test('with the lines around it, and not at any length', () => {
    const lines = [
      'function run(x) {',
      '  if (x) {',
      ...Array(20).fill('    work();'),
      '  }',
      '  return 1;',
      '}',
    ];
    const mutant = { id: '1', mutator: 'BlockStatement', start: at(1, 9), end: at(22, 3), replacement: '{}' };
    expect(mutantDiff(lines, mutant).split('\n')).toEqual([
      '@@ line 2 @@',
      ' function run(x) {',
      '-  if (x) {',
      ...Array(11).fill('-    work();'),
      '-… 10 more lines',
      '+  if (x) {}',
      '   return 1;',
      ' }',
    ]);
  });

  test('of a long line, the part around the place', () => {
    const line = `${'a'.repeat(500)}<${'b'.repeat(500)}`;
    const mutant = {
      id: '1',
      mutator: 'EqualityOperator',
      start: at(0, 500),
      end: at(0, 501),
      replacement: '<=',
    };
    const [, removed, added] = mutantDiff([line], mutant).split('\n');
    expect(removed).toBe(`-…${'a'.repeat(80)}<${'b'.repeat(79)}…`);
    expect(added).toBe(`+…${'a'.repeat(80)}<=${'b'.repeat(78)}…`);
  });
});
