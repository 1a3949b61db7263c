/** The service as a process of its own, as its users run it: what it prints, how it ends, and how it takes being killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { engineOptions } from '../cli/service.ts';

export type ServiceProcess = {
  child: ChildProcess;
  /** All that it has printed so far, on both streams. */
  printed(): string;
  /** Resolves to its address when it listens. Rejects with what it printed if it ends before. */
  listening: Promise<string>;
  /** Resolves to its exit code, or to the signal that ended it. */
  ended: Promise<number | NodeJS.Signals | null>;
  /** Sends it a signal and waits for its end. */
  end(signal?: NodeJS.Signals): Promise<void>;
};

/** Compiling parts of the embedded database for a second time, better, is a quarter of what a start takes, and pays off in longer lives than a test's. */
const flags = [...engineOptions, '--liftoff-only'];

const main = fileURLToPath(new URL('../server/main.ts', import.meta.url));

export type ProcessOptions = {
  /** Where it runs, and where the kernel leaves its core if it is let. */
  cwd?: string;
  /** Whether its shell would let it dump its core. It then begins once more, without. */
  mayDumpCore?: boolean;
  /** How long its files may become, in bytes: whatever is written beyond that fails, as on a full disk. */
  fileBytesMax?: number;
  /** How many files and connections it may have open. */
  descriptorsMax?: number;
};

/** Starts `server/main.ts` on a free port, with these settings and nothing else of our environment but the PATH. */
export function startProcess(
  environment: Record<string, string>,
  { cwd, mayDumpCore = false, fileBytesMax, descriptorsMax }: ProcessOptions = {},
): ServiceProcess {
  // POSIX counts these in blocks of 512 bytes.
  const limits = [
    fileBytesMax === undefined ? '' : `ulimit -S -f ${Math.ceil(fileBytesMax / 512)};`,
    descriptorsMax === undefined ? '' : `ulimit -n ${descriptorsMax};`,
  ].join(' ');
  const script = `ulimit -c ${mayDumpCore ? 'unlimited' : '0'} 2>/dev/null; ${limits} exec "$@"`;
  const command = [process.execPath, ...flags, main];
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...command], {
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      HOLDBACK_PORT: '0',
      ...environment,
    },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal);
  const listening = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const [, address] = /Holdback listens on (\S+)\n/.exec(text) ?? [];
        if (address !== undefined) resolve(address);
      });
    }
    void ended.then((code) => reject(new Error(`the service ended with ${code}: ${text}`)));
  });
  // Who waits for the end alone does not care that it never listened.
  listening.catch(() => {});
  return {
    child,
    printed: () => text,
    listening,
    ended,
    end: async (signal = 'SIGTERM') => {
      child.kill(signal);
      await ended;
    },
  };
}
