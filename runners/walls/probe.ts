/**
 * Tries walls: whether Node starts behind them, and whether they keep a program that does what an escaped candidate would from what they
 * should.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killOf } from '../kill-of.ts';
import { type Attempted, attempt, attemptedSchema, type Targets } from './attempt.ts';
import { innermost } from './innermost.ts';
import type { Wall } from './wall.ts';
import type { Walls } from './walls.ts';

/** A try or a probe that lasts longer has failed, in milliseconds: so long that a busy machine does not count as one without walls. */
const tryMsMax = 30_000;

/** A namespace has fewer processes than this when it is probed. */
const farPid = 50;

export type Place = { folder: string; own: string; file: string; writable: string };

/** What a probe needs: a folder that it may read, and one that it may not. Made at once, so that the probe starts before whatever comes next. */
export function makePlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'holdback-walls-'));
  const place = {
    folder,
    own: join(folder, 'own'),
    file: join(folder, 'other', 'file'),
    writable: join(folder, 'other'),
  };
  for (const path of [place.own, place.writable]) mkdirSync(path);
  const ownFile = join(place.own, 'file');
  for (const path of [ownFile, place.file]) writeFileSync(path, '');
  // Another user must be kept out by the walls and not by the usual permissions. This is not subject to our umask.
  for (const path of [folder, place.own]) chmodSync(path, 0o755);
  for (const path of [ownFile, place.file]) chmodSync(path, 0o644);
  chmodSync(place.writable, 0o777);
  return place;
}

/** Why Node does not start behind walls; undefined if it does. */
export async function whyNot(walls: Walls, place: Place): Promise<string | undefined> {
  const child = start(walls, place, ['--version']);
  const ended = await endOf(child);
  return ended.code === 0 && /^v\d/.test(ended.output) ? undefined : firstLine(ended.errors);
}

/** Which walls held against a program that tried; or why it did not even run. */
export async function probe(
  walls: Walls,
  place: Place,
  msMax = tryMsMax,
): Promise<(Record<Wall, boolean> & { isSealed: boolean }) | string> {
  const server = createServer((socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // The port is of a server, so it is an address and a port.
  const { port } = server.address() as AddressInfo;
  const targets: Targets = {
    file: place.file,
    folder: place.writable,
    own: join(place.own, 'file'),
    pid: process.pid,
    started: startOf(process.pid),
    unshare: walls.plan.programs.unshare ?? null,
    port,
  };
  const child = start(walls, place, ['-e', `(${attempt})(${JSON.stringify(targets)})`]);
  const ending = endOf(child, msMax);
  try {
    const line = await Promise.race([
      once(child.stdout ?? child, 'data').then(([text]) => `${text}`),
      ending.then(() => ''),
    ]);
    if (line === '' || child.pid === undefined) return firstLine((await ending).errors);
    const attempted = readAttempted(line);
    if (attempted === undefined) return 'something else speaks in the place of what is started behind it';
    if (!attempted.readsOwn) return 'what hosts need cannot be read behind it';
    const seen = lookAt(child.pid);
    if (seen === undefined) return 'it ended before it could be looked at';
    // In a namespace of its own there are others of the lowest numbers, which it may signal.
    const isFar = targets.pid >= farPid;
    return {
      network: !attempted.connects,
      files: !attempted.readsFile && !attempted.writes,
      processes:
        seen.isFirst &&
        !attempted.tracesProcess &&
        !(isFar && attempted.signalsProcess) &&
        !(walls.plan.hasOwnProc && attempted.seesProcess),
      user: seen.isAnother,
      privileges: seen.isBare,
      limits: seen.isLimited,
      isSealed: !attempted.makesUserNamespace,
    };
  } finally {
    // It ends when there is nothing more to read, and its parents with it.
    child.stdin?.end();
    server.close();
    await ending;
  }
}

/** What the program told; undefined where it was another one that did. */
function readAttempted(line: string): Attempted | undefined {
  try {
    return attemptedSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** What the kernel says from outside of a process behind walls, which nothing within it can change; undefined where it is gone. */
function lookAt(outerPid: number) {
  let status: string;
  let limits: string;
  try {
    const pid = innermost(outerPid);
    status = readFileSync(`/proc/${pid}/status`, 'latin1');
    limits = readFileSync(`/proc/${pid}/limits`, 'latin1');
  } catch (error) {
    if (isShortage(error)) throw error;
    return undefined;
  }
  // What could be given to it, the bounding set, is never given where there are no new privileges.
  const sets = [...status.matchAll(/^Cap(?:Inh|Prm|Eff|Amb):\s*(\w+)$/gm)];
  return {
    isAnother: Number(/^Uid:\s*(\d+)/m.exec(status)?.[1]) !== process.getuid?.(),
    isBare:
      /^NoNewPrivs:\s*1$/m.test(status) && sets.length > 0 && sets.every(([, set]) => /^0+$/.test(set ?? '')),
    // It has a number of its own within a namespace.
    isFirst: /^NSpid:\s*\d+\s+\d+/m.test(status),
    isLimited: /^Max file size +0 +0 /m.test(limits) && /^Max open files +256 +256 /m.test(limits),
  };
}

/** When a process was started, in ticks of the kernel's clock: the 22nd field of its `stat`, whose second may hold anything. */
function startOf(pid: number): string {
  return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[19] ?? '';
}

function start(walls: Walls, place: Place, args: string[]): ChildProcess {
  const [program = '', ...rest] = walls.around([realpathSync(process.execPath), ...args], place.own);
  const child = spawn(program, rest, { cwd: '/', env: {}, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  // Where the system lacks descriptors it has none, and what says so comes later.
  child.stdin?.on('error', () => {});
  return child;
}

/** Whether the system lacks something for the moment, which says nothing about what it offers. */
export function isShortage(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM' || code === 'EAGAIN';
}

/**
 * How a program ended, at the latest when it has had its time, in milliseconds. What it has started elsewhere is not waited for. Throws
 * where the system lacked what it takes to start it.
 */
export async function endOf(
  child: ChildProcess,
  msMax = tryMsMax,
): Promise<{ code: number | null; output: string; errors: string }> {
  const output: string[] = [];
  const errors: string[] = [];
  child.stdout?.on('data', (text: Buffer) => output.push(text.toString('utf8')));
  child.stderr?.on('data', (text: Buffer) => errors.push(text.toString('utf8')));
  const timer = setTimeout(() => {
    errors.push('it took too long');
    if (child.pid !== undefined) killOf(-child.pid);
    for (const stream of child.stdio ?? []) stream?.destroy();
  }, msMax);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) => {
      if (isShortage(error)) reject(error);
      errors.push(error.message);
      resolve(null);
    });
    child.once('close', resolve);
  }).finally(() => clearTimeout(timer));
  return { code, output: output.join(''), errors: errors.join('') };
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.slice(0, 200) || 'it ended without a word';
}
