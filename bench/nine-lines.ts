/**
 * The idea of the product with nothing around it: the design's nine lines, in one process, with no isolation at all. It says `ready`, then
 * reads one job and answers with one line.
 */
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { runInThisContext } from 'node:vm';
import type { BenchCase } from './cases.ts';

type Build = { run(input: unknown): unknown };

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const { script, cases }: { script: string; cases: BenchCase[] } = JSON.parse(line);
  const agentBuild: Build = runInThisContext(`${script}; candidate`);
  const results = await Promise.all(
    cases.map(async (testCase) => {
      const output = await agentBuild.run(testCase.input);
      return { name: testCase.name, passed: isDeepStrictEqual(output, testCase.expect.equals) };
    }),
  );
  const failures = results.filter((result) => !result.passed);
  console.log(JSON.stringify({ canMerge: failures.length === 0, failures }));
}
