/**
 * How a command is started behind walls: programs of the system, each of which builds its part and then becomes the next. Two of
 * them stay as parents, `unshare` and `bwrap`, and end as soon as the command does, and it as soon as they do.
 */
import { noMeans, type WallMeans } from './wall.ts';

/** The programs that build walls. All but bwrap are of util-linux. */
export const programNames = ['setpriv', 'unshare', 'prlimit', 'bwrap'] as const;
export type Programs = Readonly<Partial<Record<(typeof programNames)[number], string>>>;

/** What the command itself needs to read, as absolute paths without links. */
export type Readable = {
  /** Programs and folders of libraries: they may be executed. */
  code: readonly string[];
  /** Files that may be read. */
  files: readonly string[];
  /** Where the kernel looks for the loader that a program names, which may be a link. */
  loader: string | undefined;
};

export type WallPlan = Readonly<{
  means: WallMeans;
  programs: Programs;
  /** Whether namespaces are made within a user namespace, which needs no privileges. */
  inUserNamespace: boolean;
  /** Whether capabilities can also be taken from whatever is started later. Within a user namespace they always can. */
  dropsBounding: boolean;
  /** Whether no user namespace can be made behind the walls, in which there would be capabilities again, over little. */
  sealsUsers: boolean;
  /** Whether a process namespace can have a /proc of its own, in which other processes are not seen. */
  hasOwnProc: boolean;
  readable: Readable;
}>;

/**
 * No distribution, no container manager and no service gives these user ids to anybody, and they exist within containers that
 * have 65,536: https://systemd.io/UIDS-GIDS.
 */
const firstUid = 60_706;
const uids = 478;

/** A host has about 15 threads. Each counts, and so does what stays of others of the same user. */
const processesMax = 128;
const openFilesMax = 256;

/** Of one user, who has every capability in it until they are dropped. */
const userNamespace = ['--user', '--map-current-user', '--keep-caps'];

export class Walls {
  readonly plan: WallPlan;
  /** Hosts that run at the same time are different users. Where it begins says nothing, so that two services seldom meet. */
  #nextUid = Math.floor(Math.random() * uids);

  constructor(plan: WallPlan) {
    this.plan = plan;
  }

  get means(): WallMeans {
    return this.plan.means;
  }

  /** The command that starts this one, which needs to read this folder, behind the walls. It is the first of its arguments. */
  around(command: readonly string[], folder: string): string[] {
    return [
      ...this.#namespaces(),
      ...this.#limits(),
      ...this.#privileges(folder),
      ...this.#mounts(folder),
      ...command,
    ];
  }

  #namespaces(): string[] {
    const { means, programs, inUserNamespace, hasOwnProc } = this.plan;
    // Behind mounts there is no /proc at all.
    const proc = hasOwnProc && means.files !== 'mounts' ? ['--mount-proc'] : [];
    const kinds = [
      // Shared memory and the machine's name are of no use to a host, and cost nothing.
      ...(means.network === 'namespace' ? ['--net', '--ipc', '--uts'] : []),
      ...(means.processes === 'namespace' ? ['--pid', '--fork', '--kill-child', ...proc] : []),
    ];
    if (programs.unshare === undefined || kinds.length === 0) return [];
    const user = inUserNamespace ? userNamespace : [];
    // It stays as a parent, and must not outlive us.
    const untilWeEnd = programs.setpriv === undefined ? [] : [programs.setpriv, '--pdeathsig', 'KILL'];
    return [...untilWeEnd, programs.unshare, ...user, ...kinds];
  }

  #limits(): string[] {
    const { means, programs } = this.plan;
    if (programs.prlimit === undefined || means.limits !== 'prlimit') return [];
    return [
      programs.prlimit,
      '--core=0',
      '--fsize=0',
      '--msgqueue=0',
      '--memlock=0',
      `--nofile=${openFilesMax}`,
      // Of a user that is shared with others, theirs would count as well.
      ...(this.countsOwn ? [`--nproc=${processesMax}`] : []),
    ];
  }

  /** Whether the processes of a host are counted apart from everybody else's, and so can be limited. */
  get countsOwn(): boolean {
    const { means, inUserNamespace } = this.plan;
    return (
      means.limits === 'prlimit' &&
      (means.user === 'own' || (inUserNamespace && means.processes === 'namespace'))
    );
  }

  #privileges(folder: string): string[] {
    const { means, programs, dropsBounding, inUserNamespace } = this.plan;
    if (programs.setpriv === undefined) return [];
    const seal = this.#seal();
    const options: string[] = [];
    if (means.user === 'own') {
      const uid = firstUid + (this.#nextUid++ % uids);
      options.push(`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups');
    }
    const before: string[] = [];
    if (seal.length > 0) {
      // The namespace is of whoever makes it.
      if (options.length > 0) before.push(programs.setpriv, ...options.splice(0));
      before.push(...seal);
    }
    if (means.privileges === 'dropped') {
      options.push('--no-new-privs', '--inh-caps=-all', '--ambient-caps=-all');
      if (dropsBounding || inUserNamespace) options.push('--bounding-set=-all');
    }
    if (means.files === 'landlock') options.push(...this.#landlock(folder));
    if (options.length === 0) return before;
    // Whoever becomes another user loses what was asked for before.
    if (means.processes === 'namespace') options.push('--pdeathsig', 'KILL');
    return [...before, programs.setpriv, ...options];
  }

  /** In a user namespace that nobody else is in, the kernel is told that there are to be none within it. Mounts do the same themselves. */
  #seal(): string[] {
    const { means, programs, inUserNamespace, sealsUsers } = this.plan;
    if (!sealsUsers || means.privileges !== 'dropped' || means.files === 'mounts') return [];
    if (programs.unshare === undefined) return [];
    // Nowhere but in one of its own: elsewhere it would be for the whole machine.
    const isIn = inUserNamespace && (means.network === 'namespace' || means.processes === 'namespace');
    const own = isIn ? [] : [programs.unshare, ...userNamespace];
    return [...own, '/bin/sh', '-c', 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', 'sh'];
  }

  #landlock(folder: string): string[] {
    const { code, files } = this.plan.readable;
    const rule = (access: string, path: string) => ['--landlock-rule', `path-beneath:${access}:${path}`];
    return [
      '--landlock-access',
      'fs',
      ...code.flatMap((path) => rule('execute,read-file', path)),
      ...files.flatMap((path) => rule('read-file', path)),
      ...rule('read-file,read-dir', folder),
    ];
  }

  #mounts(folder: string): string[] {
    const { means, programs, readable } = this.plan;
    if (programs.bwrap === undefined || means.files !== 'mounts') return [];
    const loader = readable.loader === undefined ? [] : [readable.loader];
    return [
      programs.bwrap,
      '--unshare-user',
      // What has broken out makes no user namespace, in which it would have capabilities again.
      '--disable-userns',
      '--die-with-parent',
      ...[...readable.code, ...loader, folder].flatMap((path) => ['--ro-bind', path, path]),
      '--remount-ro',
      '/',
      '--chdir',
      '/',
      '--',
    ];
  }
}

/** What there is where the system offers nothing, or where nothing is wanted. */
export const noWalls = new Walls({
  means: noMeans,
  programs: {},
  inUserNamespace: false,
  hasOwnProc: false,
  dropsBounding: false,
  sealsUsers: false,
  readable: { code: [], files: [], loader: undefined },
});
