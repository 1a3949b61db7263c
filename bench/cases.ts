/** The cases of the bench: versions and ranges, with what the library itself answers as the expected value. */
import { run } from './candidate.ts';

const ranges = [
  '^1.2.3',
  '~2.0',
  '>=1.0.0 <3.0.0',
  '1.x || >=2.5.0',
  '*',
  '1.2.3 - 2.3.4',
  '<=0.9.9',
  '^0.0.3',
];

export type BenchCase = {
  name: string;
  input: { version: string; range: string };
  expect: { equals: unknown };
};

export function makeCases(count: number): BenchCase[] {
  return Array.from({ length: count }, (_, index) => {
    const version = `${index % 4}.${index % 7}.${index % 11}${index % 5 === 0 ? '-beta.1' : ''}`;
    const input = { version, range: ranges[index % ranges.length] ?? '*' };
    return { name: `case ${index}`, input, expect: { equals: run(input) } };
  });
}
