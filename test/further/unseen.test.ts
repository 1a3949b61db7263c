/** What cannot be watched is not run: where this process cannot look at another, that is told as a failure of ours. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { UsageReader } from '../../runners/usage.ts';
import { innermost } from '../../runners/walls/innermost.ts';

const modules = ['usage', 'walls/innermost'].map((name) =>
  JSON.stringify(new URL(`../../runners/${name}.ts`, import.meta.url)),
);

/** Looks at a process that lives, once it has no descriptor left to do it with. */
const looksBlindly = `
const [{ UsageReader }, { innermost }] = [await import(${modules[0]}), await import(${modules[1]})];
const { openSync } = await import('node:fs');
const usage = new UsageReader(process.ppid);
const told = [];
try { for (;;) openSync('/dev/null') } catch {}
for (const look of [() => new UsageReader(process.ppid), () => innermost(process.ppid)]) {
  try { told.push(look()) } catch (error) { told.push(error.code) }
}
told.push(usage.wantsCore, usage.cpuMs >= 0, usage.residentMb > 0);
process.stdout.write(JSON.stringify(told));
`;

test('a process that is gone uses nothing and is told from one that cannot be looked at', () => {
  const gone = 2 ** 30;
  const usage = new UsageReader(gone);
  expect([usage.cpuMs, usage.residentMb, usage.wantsCore]).toEqual([undefined, undefined, false]);
  expect(innermost(gone)).toBe(gone);

  const command = [process.execPath, '--input-type=module', '--eval', looksBlindly];
  const told = execFileSync('/bin/sh', ['-c', 'ulimit -n 64; exec "$@"', 'sh', ...command], {
    encoding: 'utf8',
  });
  // What is watched already is seen, and as long as it cannot be told whether it waits for a core, it may be waiting.
  expect(JSON.parse(told)).toEqual(['host_unavailable', 'EMFILE', true, true, true]);
});
