/** What walls can be built with on this system, and in which ways. Whether they then hold is another question. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { noMeans, type Wall, type WallMeans } from './wall.ts';
import { type Programs, programNames, type Readable, type WallPlan } from './walls.ts';

/** One way to build a wall. */
export type Way = {
  means: Partial<WallMeans>;
  needs: keyof Programs;
} & Partial<Pick<WallPlan, 'inUserNamespace' | 'dropsBounding' | 'sealsUsers' | 'hasOwnProc'>>;

/** For each wall, the way to build it; none where it is not built. */
export type Chosen = Partial<Record<Wall, Way>>;

/** What walls are built with, by whom, and in which ways, the best first; there is none for a wall that somebody like us cannot have. */
export type System = {
  programs: Programs;
  readable: Readable;
  isRoot: boolean;
  ways: Record<Wall, Way[]>;
};

/** What there is to build with, of programs that are looked for in these folders. */
export function findSystem(path: string): System {
  const { unshare, bwrap, ...others } = findPrograms(path);
  // Both stay as parents, and the kernel must tell which process it is that they have started.
  const programs = childrenAreTold() ? { ...others, unshare, bwrap } : others;
  const isRoot = process.getuid?.() === 0;
  return { programs, readable: findReadable(), isRoot, ways: waysFor(isRoot) };
}

function waysFor(isRoot: boolean): Record<Wall, Way[]> {
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

/** How hosts are started behind walls that are built in these ways. */
export function planOf({ programs, readable }: System, chosen: Chosen): WallPlan {
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
