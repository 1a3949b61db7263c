/**
 * Turns a module's text (ES module, CommonJS or TypeScript) into the body of a CommonJS function. The text is foreign, so
 * each one is read by an esbuild process of its own, under the same deadline and memory cap as a host.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import pLimit from 'p-limit';
import { RunnerError } from './errors.ts';
import { killOf } from './kill-of.ts';
import { type Started, startProcess } from './nursery/nursery.ts';
import { candidateBytesMax } from './protocol.ts';
import { watchOrKill } from './watcher.ts';

/** A script, or why the text is no module: words for the suite's author. */
export type Transformed = { ok: true; script: string } | { ok: false; detail: string; isTooMuch?: boolean };

/** Each may take a core and a gigabyte. */
const atOnceMax = 2;
const transformMsMax = 20_000;
/** The system ends one that nobody watches any more, by the processor time of all its threads: far more than it may take. */
const cpuSecondsMax = 300;
const prepareMs = 30;
/** With this exit code esbuild says what is wrong with a text. */
const unreadable = 1;
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

export class Transformer {
  /** An esbuild that waits for its text, started ahead so that its start is off the critical path. Used once. */
  #spare: Promise<Started> | undefined;
  #preparing: NodeJS.Timeout | undefined;
  readonly #reading = new Set<Started>();
  readonly #turns = pLimit(atOnceMax);
  #closed = false;

  /** Starts an esbuild for the next module, if none is waiting already. */
  prepare(): void {
    if (this.#spare !== undefined || this.#closed) return;
    const spare = start('js');
    this.#spare = spare;
    const forget = () => {
      if (this.#spare === spare) this.#spare = undefined;
    };
    spare.then(({ exited }) => exited).then(forget, forget);
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
    const spare = this.#spare;
    this.#spare = undefined;
    const javascript = await this.#read(await (spare ?? start('js')), source);
    if (javascript.ok || javascript.isTooMuch) return javascript;
    const typescript = await this.#read(await start('ts'), source);
    return typescript.ok ? typescript : javascript;
  }

  async #read(child: Started, source: string): Promise<Transformed> {
    // One that is busy does not notice that nobody wants its answer any more.
    if (this.#closed) killOf(child.pid);
    this.#reading.add(child);
    try {
      return await finish(child, source);
    } catch (error) {
      // What ended before it was read from would keep them open.
      for (const pipe of child.pipes) pipe.destroy();
      throw error;
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
    this.#spare?.then(
      ({ pid }) => killOf(pid),
      () => {},
    );
    for (const { pid } of this.#reading) killOf(pid);
  }
}

function start(loader: 'js' | 'ts'): Promise<Started> {
  const limited = `ulimit -c 0; ulimit -t ${cpuSecondsMax}; exec "$@"`;
  return startProcess({
    command: ['/bin/sh', '-c', limited, 'sh', esbuildPath, `--loader=${loader}`, ...options],
    // It ends by itself when its standard input does, and so when we do, unless it is busy.
    stdio: ['pipe', 'pipe', 'pipe'],
    environment: {},
  });
}

async function finish(child: Started, source: string): Promise<Transformed> {
  const [stdin, stdout, stderr] = child.pipes;
  if (stdin === undefined || stdout === undefined || stderr === undefined)
    throw new RunnerError('host_unavailable', 'esbuild was started without its pipes');
  const { stop, whyStopped } = watch(child);
  const tooLong = () => stop('the module becomes too long');
  const output = collect(stdout, tooLong);
  const errors = collect(stderr, tooLong);
  // One that is gone does not read.
  stdin.on('error', () => {});
  stdin.end(source);
  const [{ code }] = await Promise.all([child.exited, output.whole, errors.whole]);
  stdin.destroy();
  const why = whyStopped();
  if (why !== undefined) return { ok: false, detail: why, isTooMuch: true };
  if (code === 0) return { ok: true, script: output.text().replace(/^#!/, '//') };
  if (code === unreadable) return { ok: false, detail: firstError(errors.text()) };
  if (isTooDeep(errors.text())) return { ok: false, detail: 'the module is nested too deeply to be read' };
  // Nobody here killed it, or it never ran, or lacked what the system has to give: that says nothing about the module.
  throw new RunnerError('host_lost', `esbuild ended with ${code} before it had read the module`);
}

/** Kills the process when it takes too much; tells why afterwards. Throws `host_unavailable` where it cannot be watched. */
function watch(child: Started) {
  let why: string | undefined;
  const stop = (reason: string) => {
    why ??= reason;
    killOf(child.pid);
  };
  const watcher = watchOrKill(child.pid, {
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

function collect(stream: Socket, tooLong: () => void): { text(): string; whole: Promise<void> } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > scriptBytesMax) tooLong();
    else chunks.push(chunk);
  });
  // What cannot be read any more has ended.
  const whole = finished(stream, { writable: false }).catch(() => {});
  return { text: () => Buffer.concat(chunks).toString('utf8'), whole };
}

/** Whether it used up its stack, which is as large for every module: Go's runtime says so and ends the process. */
function isTooDeep(errors: string): boolean {
  return errors.startsWith('runtime: goroutine stack exceeds ');
}

function firstError(text: string): string {
  const message = /\[ERROR\] (.*)\n(?:\s*<stdin>:(\d+):(\d+))?/.exec(text.trimStart());
  const [, what, line, column] = message ?? [];
  if (what === undefined) return 'the module could not be read';
  return `${line === undefined ? '' : `line ${line}, column ${column}: `}${what}`.slice(0, 500);
}
