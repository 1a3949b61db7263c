/**
 * Finds out which walls this system offers, by building them: what a version or a setting promises does not count. A program that does
 * what an escaped candidate would is started behind the best of each. Where it does not start, or one of them does not keep it from what
 * it should, each is tried by itself, in each way there is to build it, and then it is started behind those that stand.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { RunnerError } from '../errors.ts';
import { killOf } from '../kill-of.ts';
import { madeOnce } from '../made-once.ts';
import { type Attempted, attempt, attemptedSchema, type Targets } from './attempt.ts';
import { innermost } from './innermost.ts';
import { noMeans, standing, type Wall, type WallMeans, wallSchema } from './wall.ts';
import { noWalls, type Programs, programNames, type Readable, type WallPlan, Walls } from './walls.ts';

/** Which walls are wanted: whichever hold, none, or whichever hold but these at least. */
export type WantedWalls = 'auto' | 'none' | readonly Wall[];

export type FoundWalls = {
  walls: Walls;
  /** Why others do not stand, in words. */
  missing: Partial<Record<Wall, string>>;
};

/** A try or a probe that lasts longer has failed, in milliseconds: so long that a busy machine does not count as one without walls. */
const tryMsMax = 30_000;

/** What may be tried once more, and more closely, need not have that long, in milliseconds. */
const soonMs = 5_000;

/** Why nobody else has the wall `user`. */
const onlyRoot = 'only root can become another user';

/** A namespace has fewer processes than this when it is probed. */
const farPid = 50;

/** When walls that stand each alone do not stand together, they are given up in this order. */
const givenUpFirst: readonly Wall[] = ['files', 'user', 'processes', 'network', 'limits', 'privileges'];

/** What was found before: a machine's walls do not change while a process runs on it. */
const findOnce = madeOnce(() => probeWalls());

/**
 * The walls to start hosts behind. Throws `walls_missing` when one is wanted that does not stand, and `host_unavailable` where the system
 * lacks what it takes to try them: then it is not known which stand.
 */
export async function findWalls(wanted: WantedWalls): Promise<FoundWalls> {
  if (wanted === 'none') return { walls: noWalls, missing: {} };
  const { walls, missing } = await findOnce();
  const lacking = wanted === 'auto' ? [] : wanted.filter((wall) => walls.means[wall] === noMeans[wall]);
  if (lacking.length > 0) {
    const reasons = lacking.map((wall) => `${wall} (${missing[wall]})`);
    throw new RunnerError(
      'walls_missing',
      `walls that HOLDBACK_WALLS demands do not stand here: ${reasons.join('; ')}`,
    );
  }
  return { walls, missing };
}

/** The same, tried anew, with programs that are looked for in these folders. */
export async function probeWalls(path = process.env.PATH ?? ''): Promise<FoundWalls> {
  const missing: Partial<Record<Wall, string>> = {};
  if (process.platform !== 'linux') {
    for (const wall of wallSchema.options) missing[wall] = 'this system is not Linux';
    return { walls: noWalls, missing };
  }
  const place = makePlace();
  try {
    const { unshare, bwrap, ...others } = findPrograms(path);
    // Both stay as parents, and the kernel must tell which process it is that they have started.
    const programs = childrenAreTold() ? { ...others, unshare, bwrap } : others;
    const system: System = { programs, readable: findReadable(), isRoot: process.getuid?.() === 0 };
    const wanted = wallSchema.options.filter((wall) => waysOf(system)[wall].length > 0);
    if (!system.isRoot) missing.user = onlyRoot;
    const all = await tryTogether(wanted, system, place);
    if (all !== undefined) return { walls: all, missing };
    // Older systems lack that one.
    const butFiles = wanted.filter((wall) => wall !== 'files');
    const [files, rest] = await Promise.all([
      findWay('files', system, place),
      tryTogether(butFiles, system, place),
    ]);
    if ('why' in files) missing.files = files.why;
    if (rest !== undefined && 'why' in files) return { walls: rest, missing };
    const chosen = await tryEachAlone(system, place, missing);
    if ('way' in files) chosen.files = files.way;
    return { walls: new Walls(await holdTogether(planOf(system, chosen), place, missing)), missing };
  } catch (error) {
    if (isShortage(error))
      throw new RunnerError('host_unavailable', `walls could not be tried: ${error}`, { cause: error });
    // A system that does not even let us look has no walls, and hosts run nevertheless.
    for (const wall of wallSchema.options) missing[wall] = `they could not be tried: ${error}`;
    return { walls: noWalls, missing };
  } finally {
    await rm(place.folder, { recursive: true, force: true });
  }
}

/** One way to build a wall. */
type Way = {
  means: Partial<WallMeans>;
  needs: keyof Programs;
} & Partial<Pick<WallPlan, 'inUserNamespace' | 'dropsBounding' | 'sealsUsers' | 'hasOwnProc'>>;

/** For each wall, the way to build it; none where it is not built. */
type Chosen = Partial<Record<Wall, Way>>;

/** What walls are built with, and by whom. */
type System = { programs: Programs; readable: Readable; isRoot: boolean };

type Place = { folder: string; own: string; file: string; writable: string };

/** What a probe needs: a folder that it may read, and one that it may not. Made at once, so that the probe starts before whatever comes next. */
function makePlace(): Place {
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

/** The ways to build each wall, the best first. */
function waysOf({ isRoot }: System): Record<Wall, Way[]> {
  // Root makes namespaces as it is; anybody can who may make a user namespace first.
  const users = [...(isRoot ? [false] : []), true];
  return {
    network: users.map((inUserNamespace) => ({
      means: { network: 'namespace' },
      needs: 'unshare',
      inUserNamespace,
    })),
    processes: users.flatMap((inUserNamespace) =>
      [true, false].map(
        (hasOwnProc): Way => ({
          means: { processes: 'namespace' },
          needs: 'unshare',
          inUserNamespace,
          hasOwnProc,
        }),
      ),
    ),
    // A socket that lies in a folder can be connected to within Landlock, but not where it is not there.
    files: [
      { means: { files: 'mounts' }, needs: 'bwrap' },
      { means: { files: 'landlock' }, needs: 'setpriv' },
    ],
    user: isRoot ? [{ means: { user: 'own' }, needs: 'setpriv' }] : [],
    privileges: [
      { dropsBounding: true, sealsUsers: true },
      { dropsBounding: true, sealsUsers: false },
      { dropsBounding: false, sealsUsers: false },
    ].map((facts): Way => ({ means: { privileges: 'dropped' }, needs: 'setpriv', ...facts })),
    limits: [{ means: { limits: 'prlimit' }, needs: 'prlimit' }],
  };
}

/**
 * These walls, each built in the best way there is a program for, if it is soon seen that all of them hold. Where it is not, nothing is
 * known: which of them is amiss, and whether another way would do.
 */
async function tryTogether(
  wanted: readonly Wall[],
  system: System,
  place: Place,
): Promise<Walls | undefined> {
  const ways = waysOf(system);
  const chosen: Chosen = {};
  for (const wall of wanted) {
    chosen[wall] = ways[wall].find(({ needs }) => system.programs[needs] !== undefined);
    if (chosen[wall] === undefined) return undefined;
  }
  const walls = new Walls(planOf(system, chosen));
  const probed = await probe(walls, place, soonMs);
  const holds = typeof probed !== 'string' && probed.isSealed && wanted.every((wall) => probed[wall]);
  return holds ? walls : undefined;
}

/** Tries each wall by itself, but `files`. */
async function tryEachAlone(
  system: System,
  place: Place,
  missing: Partial<Record<Wall, string>>,
): Promise<Chosen> {
  const first = async (wall: Wall): Promise<Way | undefined> => {
    const found = await findWay(wall, system, place);
    if ('way' in found) return found.way;
    missing[wall] = found.why;
    return undefined;
  };
  const [network, processes, privileges, limits] = await Promise.all([
    first('network'),
    first('processes'),
    first('privileges'),
    first('limits'),
  ]);
  const inUserNamespace = [network, processes].some((way) => way?.inUserNamespace === true);
  let user: Way | undefined;
  if (system.isRoot && inUserNamespace)
    missing.user = 'the user namespace that the other walls need holds one user alone';
  else if (system.isRoot) user = await first('user');
  return { network, processes, user, privileges, limits };
}

/** The first way to build a wall that lets Node start, or why none does. */
async function findWay(wall: Wall, system: System, place: Place): Promise<{ way: Way } | { why: string }> {
  const whys: string[] = [];
  for (const way of waysOf(system)[wall]) {
    const walls = new Walls(planOf(system, { [wall]: way }));
    const isThere = system.programs[way.needs] !== undefined;
    const why = isThere ? await whyNot(walls, place) : `there is no ${way.needs}`;
    if (why === undefined) return { way };
    whys.push(why);
  }
  return { why: [...new Set(whys)].join('; ') };
}

function planOf({ programs, readable }: System, chosen: Chosen): WallPlan {
  const ways = Object.values(chosen);
  return {
    programs,
    readable,
    means: Object.assign({ ...noMeans }, ...ways.map((way) => way?.means)),
    inUserNamespace: ways.some((way) => way?.inUserNamespace === true),
    dropsBounding: chosen.privileges?.dropsBounding === true,
    sealsUsers: chosen.privileges?.sealsUsers === true,
    hasOwnProc: chosen.processes?.hasOwnProc === true,
  };
}

/** Takes away what does not hold behind all walls together, until the rest does. */
async function holdTogether(
  plan: WallPlan,
  place: Place,
  missing: Partial<Record<Wall, string>>,
): Promise<WallPlan> {
  let rest = plan;
  for (let walls = standing(rest.means); walls.length > 0; walls = standing(rest.means)) {
    const probed = await probe(new Walls(rest), place);
    if (rest.sealsUsers && (typeof probed === 'string' || !probed.isSealed)) {
      rest = { ...rest, sealsUsers: false };
      continue;
    }
    const failed: Wall[] =
      typeof probed === 'string'
        ? givenUpFirst.filter((wall) => walls.includes(wall)).slice(0, 1)
        : walls.filter((wall) => !probed[wall]);
    if (failed.length === 0) return rest;
    for (const wall of failed) missing[wall] = typeof probed === 'string' ? probed : 'it does not hold';
    const without = Object.fromEntries(failed.map((wall) => [wall, noMeans[wall]]));
    rest = { ...rest, means: { ...rest.means, ...without } };
  }
  return rest;
}

/** Why Node does not start behind walls; undefined if it does. */
async function whyNot(walls: Walls, place: Place): Promise<string | undefined> {
  const child = start(walls, place, ['--version']);
  const ended = await endOf(child);
  return ended.code === 0 && /^v\d/.test(ended.output) ? undefined : firstLine(ended.errors);
}

/** Which walls held against a program that tried; or why it did not even run. */
async function probe(
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
function isShortage(error: unknown): boolean {
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

/** Where the programs are. */
function findPrograms(path: string): Programs {
  const folders = path.split(delimiter).filter((folder) => folder.startsWith('/'));
  const isProgram = (file: string) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  return Object.fromEntries(
    programNames.flatMap((name) => {
      const file = folders.map((folder) => join(folder, name)).find(isProgram);
      return file === undefined ? [] : [[name, file]];
    }),
  );
}

/** What Node was loaded from: itself and the folders of the libraries that it has in memory. */
function findReadable(): Readable {
  const node = realpathSync(process.execPath);
  const maps = readFileSync('/proc/self/maps', 'utf8');
  const libraries = [...maps.matchAll(/ (\/\S+\/(?:lib|ld-)[^/\s]*\.so[.\d]*)$/gm)].map(([, path = '']) =>
    dirname(path),
  );
  return {
    code: [node, ...new Set(libraries)],
    // Node ends if it may not read its settings for OpenSSL, and not if there are none.
    files: ['/etc/ssl/openssl.cnf'].filter((file) => existsSync(file)).map((file) => realpathSync(file)),
    loader: loaderOf(node),
  };
}

/** The loader that a program names in its first page. */
function loaderOf(program: string): string | undefined {
  const page = Buffer.alloc(4096);
  const file = openSync(program, 'r');
  readSync(file, page, 0, page.length, 0);
  closeSync(file);
  return /\/lib[\w./-]*\/ld-[\w.-]+/.exec(page.toString('latin1'))?.[0];
}

/** Whether it was configured to: CONFIG_PROC_CHILDREN. */
function childrenAreTold(): boolean {
  return existsSync(`/proc/${process.pid}/task/${process.pid}/children`);
}
