/**
 * Turns a module's text (ES module, CommonJS or TypeScript) into the body of a CommonJS function. The text is foreign, so
 * each one is read by an esbuild process of its own, under the same deadline and memory cap as a host.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Readable, Writable } from 'node:stream';
import pLimit from 'p-limit';
import { RunnerError } from './errors.ts';
import { candidateBytesMax } from './protocol.ts';
import { Watcher } from './watcher.ts';

/** A script, or why the text is no module: words for the suite's author. */
export type Transformed = { ok: true; script: string } | { ok: false; detail: string; isTooMuch?: boolean };

/** Each may take a core and a gigabyte. */
const atOnceMax = 2;
const transformMsMax = 20_000;
/** The system ends one that nobody watches any more, by the processor time of all its threads: far more than it may take. */
const cpuSecondsMax = 300;
const prepareMs = 30;
/** Exit codes of a shell whose `exec` failed. */
const notExecutable = 126;
const notFound = 127;
const transformMbMax = 1_024;
/** What esbuild writes may be this much, in bytes: more than any honest module of the largest size becomes. */
const scriptBytesMax = 2 * candidateBytesMax;

const require = createRequire(import.meta.url);
const esbuildPath = createRequire(require.resolve('esbuild/package.json')).resolve(
  `@esbuild/${process.platform}-${process.arch}/bin/esbuild`,
);

const options = [
  '--format=cjs',
  '--platform=neutral',
  '--target=node26',
  // Without it, deep nesting makes indentation that grows with its square.
  '--minify-whitespace',
  '--charset=utf8',
  '--tsconfig-raw={}',
  '--log-level=error',
  '--log-limit=1',
  '--color=false',
];

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

export class Transformer {
  /** An esbuild that waits for its text, started ahead so that its start is off the critical path. Used once. */
  #spare: Child | undefined;
  #preparing: NodeJS.Timeout | undefined;
  readonly #reading = new Set<Child>();
  readonly #turns = pLimit(atOnceMax);
  #closed = false;

  /** Starts an esbuild for the next module, if none is waiting already. */
  prepare(): void {
    if (this.#spare !== undefined || this.#closed) return;
    const child = start('js');
    if (child.pid === undefined) return;
    this.#spare = child;
    child.once('exit', () => {
      if (this.#spare === child) this.#spare = undefined;
    });
  }

  /** Whether a module would be read at once. */
  get isFree(): boolean {
    return this.#turns.activeCount + this.#turns.pendingCount < atOnceMax;
  }

  /**
   * Text that is valid JavaScript is read as JavaScript; only if it is not, it is read as TypeScript. Throws RunnerErrors.
   * What takes too much to be read is not read again. Few are read at once; the others wait.
   */
  transform(source: string): Promise<Transformed> {
    return this.#turns(() => this.#transform(source));
  }

  async #transform(source: string): Promise<Transformed> {
    const child = this.#spare ?? start('js');
    this.#spare = undefined;
    const javascript = await this.#read(child, source);
    if (javascript.ok || javascript.isTooMuch) return javascript;
    const typescript = await this.#read(start('ts'), source);
    return typescript.ok ? typescript : javascript;
  }

  async #read(child: Child, source: string): Promise<Transformed> {
    // One that is busy does not notice that nobody wants its answer any more.
    if (this.#closed) child.kill('SIGKILL');
    this.#reading.add(child);
    try {
      return await finish(child, source);
    } finally {
      this.#reading.delete(child);
    }
  }

  /** Prepares in a moment: starting a process takes attention that whoever waits for an answer should have. */
  prepareSoon(): void {
    clearTimeout(this.#preparing);
    this.#preparing = setTimeout(() => this.prepare(), prepareMs);
    this.#preparing.unref();
  }

  /** Ends the esbuild that waits, if there is one, and those that read: their callers hear `host_lost`. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#preparing);
    this.#spare?.kill('SIGKILL');
    for (const child of this.#reading) child.kill('SIGKILL');
  }
}

function start(loader: 'js' | 'ts'): Child {
  const child = spawn(
    '/bin/sh',
    [
      '-c',
      `ulimit -c 0; ulimit -t ${cpuSecondsMax}; exec "$@"`,
      'sh',
      esbuildPath,
      `--loader=${loader}`,
      ...options,
    ],
    // It ends by itself when its standard input does, and so when we do, unless it is busy.
    { stdio: ['pipe', 'pipe', 'pipe'], detached: true, cwd: '/', env: {} },
  );
  child.on('error', () => {});
  // Where no process can be made, there may be no channels either.
  if (child.pid !== undefined) child.stdin.on('error', () => {});
  return child;
}

function finish(child: Child, source: string): Promise<Transformed> {
  return new Promise((resolve, reject) => {
    if (child.pid === undefined) {
      child.once('error', (cause) =>
        reject(new RunnerError('host_unavailable', 'esbuild could not be started', { cause })),
      );
      return;
    }
    const { stop, whyStopped } = watch(child, child.pid);
    const tooLong = () => stop('the module becomes too long');
    const output = collect(child.stdout, tooLong);
    const errors = collect(child.stderr, tooLong);
    child.once('close', (code) => {
      const why = whyStopped();
      const ours = code === null || code === notExecutable || code === notFound;
      if (why !== undefined) resolve({ ok: false, detail: why, isTooMuch: true });
      // Nobody here killed it, or it never ran: that says nothing about the module.
      else if (ours) reject(new RunnerError('host_lost', 'esbuild ended before it had read the module'));
      else if (code === 0) resolve({ ok: true, script: output().replace(/^#!/, '//') });
      else resolve({ ok: false, detail: firstError(errors()) });
    });
    child.stdin.end(source);
  });
}

/** Kills the process when it takes too much; tells why afterwards. */
function watch(child: Child, pid: number) {
  let why: string | undefined;
  const stop = (reason: string) => {
    why ??= reason;
    child.kill('SIGKILL');
  };
  const watcher = new Watcher(pid, {
    onMemory: (residentMb) => {
      if (residentMb > transformMbMax) stop('the module takes too much memory to read');
    },
    onTime: ({ sinceStart }) => {
      if (sinceStart > transformMsMax) stop('the module takes too long to read');
    },
  });
  const whyStopped = () => {
    watcher.stop();
    return why;
  };
  return { stop, whyStopped };
}

function collect(stream: Readable, tooLong: () => void): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > scriptBytesMax) tooLong();
    else chunks.push(chunk);
  });
  stream.on('error', () => {});
  return () => Buffer.concat(chunks).toString('utf8');
}

function firstError(text: string): string {
  const message = /\[ERROR\] (.*)\n(?:\s*<stdin>:(\d+):(\d+))?/.exec(text.trimStart());
  const [, what, line, column] = message ?? [];
  if (what === undefined) return 'the module could not be read';
  return `${line === undefined ? '' : `line ${line}, column ${column}: `}${what}`.slice(0, 500);
}
