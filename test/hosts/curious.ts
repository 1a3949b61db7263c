/** The thread of a host that tries everything a host must not be able to do, and answers with what it could. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function warm(): void {}

type Attempt = [name: string, action: () => unknown];

const attempts: Attempt[] = [
  ['read the passwords file', () => readFileSync('/etc/passwd')],
  ['read the process list', () => readFileSync('/proc/self/environ')],
  ['write a file', () => writeFileSync(join(tmpdir(), 'holdback-written'), 'x')],
  ['write to its own code', () => writeFileSync(join(__dirname, 'thread.cjs'), 'x')],
  ['start a process', () => execFileSync('/bin/true')],
  ['see a secret of the environment', () => process.env.HOLDBACK_TEST_SECRET ?? refuse()],
];

function refuse(): never {
  throw new Error('there is none');
}

function reachNetwork(): Promise<boolean> {
  return new Promise((resolve) => {
    try {
      const socket = connect({ host: '127.0.0.1', port: 9 });
      // A refused connection has been attempted: only a denied one has not.
      socket.once('connect', () => resolve(true));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
    } catch {
      resolve(false);
    }
  });
}

export async function run(): Promise<void> {
  writeSync(3, 'loading\n');
  const could = attempts.filter(([, action]) => {
    try {
      action();
      return true;
    } catch {
      return false;
    }
  });
  const names = could.map(([name]) => name);
  if (await reachNetwork()) names.push('reach the network');
  writeSync(3, `0 0 ${JSON.stringify({ names, environment: Object.keys(process.env).sort() })}\n`);
}
