/** The service as a process of its own, as its users have it, started for a bench on a folder or a database of the bench's. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { engineOptions } from '../cli/service.ts';

/** The folder of the repository. */
export const root = fileURLToPath(new URL('..', import.meta.url));

export class BenchService {
  static readonly token = 'hb_bench_admin_token_0123456789';
  readonly address: string;
  readonly #pid: number;
  readonly #stop: () => Promise<void>;

  private constructor(address: string, pid: number, stop: () => Promise<void>) {
    this.address = address;
    this.#pid = pid;
    this.#stop = stop;
  }

  /** Starts one and waits until it listens. `settings` are `HOLDBACK_…` and `DATABASE_URL`. */
  static async start(dataDir: string, settings: Record<string, string>): Promise<BenchService> {
    const child = spawn(process.execPath, [...engineOptions, join(root, 'server/main.ts')], {
      env: {
        HOLDBACK_PORT: '0',
        HOLDBACK_DATA_DIR: dataDir,
        HOLDBACK_ADMIN_TOKEN: BenchService.token,
        // One caller stands for many.
        HOLDBACK_RATE_PER_TOKEN: '0',
        HOLDBACK_RATE_PER_ADDRESS: '0',
        ...settings,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    for await (const line of createInterface({ input: child.stdout })) {
      const [address] = /http:\S+/.exec(line) ?? [];
      if (address === undefined || child.pid === undefined) continue;
      child.stdout.resume();
      return new BenchService(address, child.pid, () => {
        child.kill('SIGTERM');
        return exited;
      });
    }
    throw new Error('the service did not start');
  }

  /** Asks as an admin, and answers the JSON. Throws what the service says where it refuses. */
  async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.address}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${BenchService.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${text}`);
    return response.headers.get('content-type')?.startsWith('application/json') === true
      ? JSON.parse(text)
      : text;
  }

  /** How much memory its process holds now, in MiB; not a number where the system does not tell. */
  async residentMb(): Promise<number> {
    const status = await readFile(`/proc/${this.#pid}/status`, 'utf8').catch(() => '');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
  }

  /** Tells it to stop, and waits until it has. */
  stop(): Promise<void> {
    return this.#stop();
  }
}
