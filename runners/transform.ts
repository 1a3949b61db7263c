/**
 * Turns a module's text (ES module, CommonJS or TypeScript) into the body of a CommonJS function. The text is foreign,
 * so each one is read by an esbuild process of its own, under the same deadline and memory cap as a host.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Readable, Writable } from 'node:stream';
import { RunnerError } from './errors.ts';
import { FairClock } from './fair-clock.ts';
import { readUsage, wantsCore } from './usage.ts';

/** A script, or why the text is no module: words for the suite's author. */
export type Transformed = { ok: true; script: string } | { ok: false; detail: string };

const transformMsMax = 20_000;
const transformMbMax = 1_024;
const lookMs = 10;

const require = createRequire(import.meta.url);
const esbuildPath = createRequire(require.resolve('esbuild/package.json')).resolve(
  `@esbuild/${process.platform}-${process.arch}/bin/esbuild`,
);

/** Text that is valid JavaScript is read as JavaScript; only if it is not, it is read as TypeScript. */
export async function transformModule(source: string): Promise<Transformed> {
  const javascript = await transformAs('js', source);
  if (javascript.ok) return javascript;
  const typescript = await transformAs('ts', source);
  return typescript.ok ? typescript : javascript;
}

function transformAs(loader: 'js' | 'ts', source: string): Promise<Transformed> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      '/bin/sh',
      ['-c', 'ulimit -c 0; exec "$@"', 'sh', esbuildPath, `--loader=${loader}`, ...options],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
        cwd: '/',
        env: {},
      },
    );
    child.once('error', (cause) => {
      reject(new RunnerError('host_unavailable', 'esbuild could not be started', { cause }));
    });
    const stopped = watch(child);
    const output = collect(child.stdout);
    const errors = collect(child.stderr);
    child.stdin.on('error', () => {});
    child.stdin.end(source);
    child.once('close', (code) => {
      const why = stopped();
      if (why !== undefined) resolve({ ok: false, detail: why });
      else if (code === 0) resolve({ ok: true, script: output().replace(/^#!/, '//') });
      else resolve({ ok: false, detail: firstError(errors()) });
    });
  });
}

const options = [
  '--format=cjs',
  '--platform=neutral',
  '--target=node26',
  '--charset=utf8',
  '--tsconfig-raw={}',
  '--log-level=error',
  '--log-limit=1',
  '--color=false',
];

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Kills the process when it takes too much; tells why afterwards. */
function watch({ pid }: Child): () => string | undefined {
  let why: string | undefined;
  if (pid === undefined) return () => why;
  const clock = new FairClock();
  let last = { wallMs: performance.now(), cpuMs: 0 };
  const timer = setInterval(() => {
    const usage = readUsage(pid);
    if (usage === undefined) return;
    const wallMs = performance.now();
    clock.advance({
      wallMs: wallMs - last.wallMs,
      cpuMs: usage.cpuMs - last.cpuMs,
      wantsCore: wantsCore(pid),
    });
    last = { wallMs, cpuMs: usage.cpuMs };
    if (usage.residentMb > transformMbMax) why = 'the module takes too much memory to read';
    else if (clock.ownMs > transformMsMax) why = 'the module takes too long to read';
    if (why !== undefined) process.kill(-pid, 'SIGKILL');
  }, lookMs);
  return () => {
    clearInterval(timer);
    return why;
  };
}

function collect(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', () => {});
  return () => Buffer.concat(chunks).toString('utf8');
}

function firstError(text: string): string {
  const message = /\[ERROR\] (.*)\n(?:\s*<stdin>:(\d+):(\d+))?/.exec(text.trimStart());
  const [, what, line, column] = message ?? [];
  if (what === undefined) return 'the module could not be read';
  return `${line === undefined ? '' : `line ${line}, column ${column}: `}${what}`.slice(0, 500);
}
