/**
 * The fleet that the soak breaks: one PostgreSQL, and nodes that are processes of `server/main.ts` as their users run them. Whatever
 * it starts can be told by its folder, so that it can be seen that nothing of it is left.
 */

import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { processesWith, type RunningProcess } from '../../test/processes.ts';
import { type ServiceProcess, startProcess } from '../../test/service-process.ts';
import { type BenchPostgres, startPostgres } from '../postgres.ts';

export const soakToken = 'hb_soak_admin_token_0123456789';

export type Node = { role: 'api' | 'runner' | 'all'; process: ServiceProcess; pid: number; address: string };

/** One case, so that what is broken is the way of a score and not the score. */
const cases = [{ name: 'one', input: 1, expect: { equals: 2 } }];

/** What ends by itself has ended after so long, in milliseconds. */
const goneMs = 15_000;

export class Fleet {
  readonly folder: string;
  readonly postgres: BenchPostgres;
  /** For looking at rows, past the service. */
  readonly sql: postgres.Sql;
  readonly #nodes = new Set<Node>();

  private constructor(folder: string, server: BenchPostgres) {
    this.folder = folder;
    this.postgres = server;
    this.sql = postgres(server.url, { max: 2, onnotice: () => {} });
  }

  static async start(): Promise<Fleet> {
    const folder = await mkdtemp(join(tmpdir(), 'holdback-soak-'));
    // Hosts may be another user's.
    await chmod(folder, 0o755);
    for (const name of ['tmp', 'data']) await mkdir(join(folder, name));
    await chmod(join(folder, 'tmp'), 0o1777);
    return new Fleet(folder, await startPostgres(join(folder, 'postgres'), true));
  }

  /** Starts a node, and waits until it listens. */
  async startNode(role: Node['role'], environment: Record<string, string> = {}): Promise<Node> {
    const started = startProcess({
      DATABASE_URL: this.postgres.url,
      HOLDBACK_DATA_DIR: join(this.folder, 'data'),
      HOLDBACK_ADMIN_TOKEN: soakToken,
      HOLDBACK_ROLE: role,
      HOLDBACK_SLOT_MS: '0',
      HOLDBACK_CONCURRENCY: '2',
      HOLDBACK_HOSTS_PER_SCORE: '1',
      HOLDBACK_POOL: '2',
      HOLDBACK_RATE_PER_ADDRESS: '0',
      HOLDBACK_RATE_PER_TOKEN: '0',
      TMPDIR: join(this.folder, 'tmp'),
      ...environment,
    });
    const address = await started.listening;
    const node = { role, process: started, pid: started.child.pid ?? -1, address };
    this.#nodes.add(node);
    void started.ended.then(() => this.#nodes.delete(node));
    return node;
  }

  /** Kills a node as the kernel does when memory is short. */
  async kill(node: Node): Promise<void> {
    this.#nodes.delete(node);
    await node.process.end('SIGKILL');
  }

  /** Where requests can be sent now. */
  get addresses(): string[] {
    return [...this.#nodes].filter(({ role }) => role !== 'runner').map(({ address }) => address);
  }

  async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.addresses[0]}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${soakToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return response.json();
  }

  /** Seals a suite of one case, and puts a gate of the same name in front of it. A right candidate adds one. */
  async makeGate(gate: string): Promise<void> {
    const suite = { cases, limits: { caseMs: 60_000 } };
    await this.ask('POST', `/suites/${gate}/revisions?activate=true`, suite);
    await this.ask('PUT', `/gates/${gate}`, { suites: [gate], attemptsPerChange: 1_000_000 });
  }

  /** The hosts and graders of the fleet that live now. */
  hosts(): RunningProcess[] {
    return processesWith(this.folder).filter(({ command }) => command.includes('main.cjs'));
  }

  /** Stops every node as a fleet is stopped, and answers how many processes of theirs are left. */
  async stopNodes(): Promise<number> {
    await Promise.all([...this.#nodes].map((node) => node.process.end()));
    for (const until = performance.now() + goneMs; performance.now() < until; await sleep(200))
      if (this.#left().length === 0) return 0;
    return this.#left().length;
  }

  async close(): Promise<void> {
    await this.stopNodes();
    await this.sql.end({ timeout: 1 });
    await this.postgres.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Processes of nodes: by what they were started with, or by their environment. */
  #left(): RunningProcess[] {
    const database = join(this.folder, 'postgres');
    return processesWith('').filter(({ pid, command }) => {
      if (command.includes(database) || command.startsWith('postgres:')) return false;
      return command.includes(this.folder) || environmentOf(pid).includes(this.folder);
    });
  }
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    // It ended, or it is not ours to look at.
    return '';
  }
}
