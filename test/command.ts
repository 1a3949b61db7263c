/**
 * The `holdback` command, with what it prints and the code it ends with: as its users run it, a process, or in the process of the
 * tests, where nothing depends on its being one. Most of what a process takes is reading the command's code once more.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
// It works in the folder in which it was first loaded, which must not be one that a test removes.
import 'esbuild';
import { runHoldback } from '../cli/run-holdback.ts';

const main = fileURLToPath(new URL('../cli/main.ts', import.meta.url));

export type Ended = {
  /** Its exit code; null if a signal ended it. */
  code: number | null;
  out: string;
  err: string;
};

/** Runs the command as a process, to its end. Of our environment it is given the PATH and where compiled code is kept. */
export async function runCommandProcess(
  flags: string[],
  environment: NodeJS.ProcessEnv,
  { cwd, input = '', started }: { cwd?: string; input?: string; started?(child: ChildProcess): void } = {},
): Promise<Ended> {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, [main, ...flags], {
    cwd,
    env: { PATH, NODE_COMPILE_CACHE, ...environment },
  });
  child.stdin.end(input);
  started?.(child);
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code: typeof code === 'number' ? code : null, out, err };
}

/** Runs the command in this process, to its end. Of our environment it is given the PATH. */
export async function runCommand(
  flags: string[],
  environment: NodeJS.ProcessEnv,
  { cwd }: { cwd?: string } = {},
): Promise<Ended> {
  const printed = { out: '', err: '' };
  const leave = enter(cwd ?? home);
  try {
    const code = await runHoldback(flags, {
      environment: { PATH: process.env.PATH, ...environment },
      out: (text) => {
        printed.out += `${text}\n`;
      },
      err: (text) => {
        printed.err += `${text}\n`;
      },
    });
    return { code, ...printed };
  } finally {
    leave();
  }
}

const home = process.cwd();
let here = home;
let within = 0;

/** Takes this process to a folder until all commands that run there have ended. */
function enter(folder: string): () => void {
  if (within > 0 && here !== folder) throw new Error('commands of two folders run at once');
  process.chdir(folder);
  here = folder;
  within++;
  return () => {
    within--;
    if (within === 0) process.chdir(home);
  };
}
