/** The service as a child process of this command. Whoever starts one is told its address, and stops it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CommandError } from './errors.ts';

/** `.ts` in a clone, `.js` in the published package. */
const main = fileURLToPath(new URL(`../server/main${extname(import.meta.url)}`, import.meta.url));

/**
 * What a service's engine is told, here, in `npm start` and in the `Dockerfile`: to keep what is young in 4 MB, as new memory costs more
 * than to look through it more often, and to collect and compile on one other thread, because the cores are for candidates.
 */
export const engineOptions = ['--max-semi-space-size=4', '--v8-pool-size=1'];

/** How long a service may take to stop by itself, in milliseconds. */
const stopMsMax = 20_000;

export type Service = {
  /** Where it listens. */
  url: string;
  /** Resolves with the exit code, null if a signal ended it. */
  ended: Promise<number | null>;
  /** Stops it and waits until it has ended. */
  stop(): Promise<void>;
};

export type ServiceOptions = {
  environment: NodeJS.ProcessEnv;
  /** Told the address as soon as it listens, before anything that it prints later. */
  listens?: (url: string) => void;
  /** What else it prints, line by line. */
  say: (line: string) => void;
  /** Told to stop by this, also while it starts. */
  interruption: AbortSignal;
};

/** Starts a service and waits until it listens. Throws a service error if it ends before that. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { environment, interruption } = options;
  const child = spawn(process.execPath, [...engineOptions, main], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
    // A Ctrl-C reaches this command alone, which then tells the service, once.
    detached: true,
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code));
    child.once('error', () => resolve(null));
  });
  const terminate = () => child.kill('SIGTERM');
  interruption.addEventListener('abort', terminate);
  if (interruption.aborted) terminate();
  const url = await Promise.race([listening(child, options), ended.then(() => undefined)]);
  if (url === undefined) {
    throw new CommandError(
      'service',
      'service_not_started',
      'the service did not start; what it printed says why',
    );
  }
  return { url, ended, stop: () => stop(child, ended) };
}

function listening(child: ChildProcess, { listens, say }: ServiceOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    if (child.stdout === null) return resolve(undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, url] = /^Holdback listens on (\S+)$/.exec(line) ?? [];
      if (url === undefined) return say(line);
      listens?.(url);
      resolve(url);
    });
  });
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill('SIGTERM');
  const timeout = new AbortController();
  const tooLong = sleep(stopMsMax, 'too long' as const, { signal: timeout.signal }).catch(() => undefined);
  if ((await Promise.race([ended, tooLong])) === 'too long') {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  timeout.abort();
}
