/** The same cases as visible tests are run: by Vitest, by Node's own test runner, and each in a process of its own; from a cold start, as CI runs them. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { root } from './bench-service.ts';
import type { BenchCase } from './cases.ts';

/** `vitest run` of the cases, in milliseconds. */
export function timeVitest(cases: BenchCase[]): Promise<number> {
  return timeTests(
    `import { expect, test } from 'vitest';
import { run } from '../candidate.ts';
test.each(${JSON.stringify(cases)})('$name', ({ input, expect: { equals } }) => expect(run(input)).toEqual(equals));
`,
    (folder) => [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder],
  );
}

/** `node --test` of the cases, in milliseconds. */
export function timeNodeTest(cases: BenchCase[]): Promise<number> {
  return timeTests(
    `import { deepStrictEqual } from 'node:assert';
import { test } from 'node:test';
import { run } from '../candidate.ts';
for (const { name, input, expect: { equals } } of ${JSON.stringify(cases)})
  test(name, () => deepStrictEqual(run(input), equals));
`,
    (folder) => ['--test', join(folder, 'cases.test.ts')],
  );
}

async function timeTests(text: string, argumentsFor: (folder: string) => string[]): Promise<number> {
  const folder = await mkdtemp(join(root, 'bench/.tests-'));
  try {
    await writeFile(join(folder, 'cases.test.ts'), text);
    const started = performance.now();
    const child = spawn(process.execPath, argumentsFor(folder), { stdio: 'ignore' });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    if (code !== 0) throw new Error(`the tests ended with ${code}`);
    return performance.now() - started;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Each case in a process of its own, as many at once as there are cores, in milliseconds. */
export async function timeProcessPerCase(script: string, cases: BenchCase[], cores: number): Promise<number> {
  const rest = [...cases];
  const started = performance.now();
  const next = async () => {
    for (let one = rest.pop(); one !== undefined; one = rest.pop()) {
      const output = await runAlone(script, JSON.stringify(one.input));
      if (!isDeepStrictEqual(JSON.parse(output), one.expect.equals))
        throw new Error(`${one.name}: ${output}`);
    }
  };
  await Promise.all(Array.from({ length: cores }, next));
  return performance.now() - started;
}

async function runAlone(script: string, input: string): Promise<string> {
  const child = spawn(process.execPath, [join(root, 'bench/one-case.ts'), script, input], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return (await child.stdout.toArray()).join('');
}
