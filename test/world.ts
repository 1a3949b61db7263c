/**
 * A real service for a test: its own data directory, its own port, real hosts and graders; and a client for each role, so
 * that tests read as request and reply. Everything is ended when the test file ends.
 */
import { readdir, rm } from 'node:fs/promises';
import { onTestFinished } from 'vitest';
import type { Role } from '../gate/disclosure/disclosed.ts';
import { readConfig } from '../server/config.ts';
import { type Service, startService } from '../server/service.ts';
import type { TokenRequest } from '../server/token.ts';
import { createToken } from '../server/tokens.ts';
import { copyTemplate } from './template-database.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const adminToken = 'hb_test_admin_token_0123456789';

export type Reply = {
  status: number;
  headers: Headers;
  /** The body as text, byte for byte. */
  text: string;
  /** The body as JSON; undefined where there is none. */
  json: unknown;
};

/** Asks the service as one reader. */
export type Client = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Reply>;

export type World = {
  service: Service;
  dataDir: string;
  /** A client with the admin token. */
  admin: Client;
  /** A client with a fresh token of a role. */
  as(role: Role, gates?: string[], more?: Partial<TokenRequest>): Promise<Client>;
  /** A client with this token, or with none. */
  client(token: string | undefined): Client;
  close(): Promise<void>;
};

/** Starts a service with the given settings in the environment; `close` it, or use `openWorld` in a test. */
export async function startWorld(environment: Record<string, string> = {}): Promise<World> {
  const dataDir = environment.HOLDBACK_DATA_DIR ?? (await temporaryFolder());
  const isEmbedded = environment.DATABASE_URL === undefined;
  if (isEmbedded && (await readdir(dataDir)).length === 0) await copyTemplate(dataDir);
  const service = await startService(
    readConfig({
      HOLDBACK_PORT: '0',
      HOLDBACK_DATA_DIR: dataDir,
      HOLDBACK_ADMIN_TOKEN: adminToken,
      HOLDBACK_LOG_LEVEL: 'silent',
      // Verdicts at once; tests of publication set slots themselves.
      HOLDBACK_SLOT_MS: '0',
      // Starting hosts is what tests spend most of their time on, and those that wait at the end were started for nothing.
      HOLDBACK_POOL: '1',
      // So that references run as often as a score does; tests of preflights say how often they do there.
      HOLDBACK_PREFLIGHT_ROUNDS: '1',
      // Tests ask as fast as they can.
      HOLDBACK_RATE_PER_ADDRESS: '0',
      HOLDBACK_RATE_PER_TOKEN: '0',
      ...environment,
    }),
  );
  const client = (token: string | undefined) => clientOf(service.address, token);
  return {
    service,
    dataDir,
    admin: client(adminToken),
    client,
    as: async (role, gates, more) => {
      const request = { role, name: `a test's ${role}`, gates, ...more };
      const { token } = await createToken(service.database.database, request, 'a test');
      return client(token);
    },
    close: async () => {
      await service.close();
      if (environment.HOLDBACK_DATA_DIR === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A world for one test. */
export async function openWorld(environment: Record<string, string> = {}): Promise<World> {
  const world = await startWorld(environment);
  onTestFinished(() => world.close());
  return world;
}

/** A client of the service at an address, with this token or with none. */
export function clientOf(address: string, token: string | undefined): Client {
  return async (method, path, body, headers = {}) => {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(`${address}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isRaw ? Buffer.from(body) : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson && text !== '' ? JSON.parse(text) : undefined,
    };
  };
}

/** Seals a suite, activates it, and puts a gate of the same name in front of it. */
export async function sealSuite(world: World, name: string, source: object): Promise<void> {
  const pushed = await world.admin('POST', `/suites/${name}/revisions?activate=true`, source);
  if (pushed.status !== 201) throw new Error(`the suite was refused: ${pushed.text}`);
  const set = await world.admin('PUT', `/gates/${name}`, {
    suites: [name],
    // Tests score more candidates of one change than anybody should.
    attemptsPerChange: 1_000_000,
  });
  if (set.status !== 200) throw new Error(`the gate was refused: ${set.text}`);
}

/** What a caller asks to score this source at a gate. */
export function scoreRequest(gate: string, source: string, change = 'change-1', commit = 'c0ffee'): object {
  return { gate, change: { id: change, commit }, candidate: { source } };
}
