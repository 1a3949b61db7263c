/** The `holdback` command as its users run it: a process, with what it prints and the code it ends with. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../cli/main.ts', import.meta.url));

export type Ended = {
  /** Its exit code; null if a signal ended it. */
  code: number | null;
  out: string;
  err: string;
};

/** Runs the command to its end. Of our environment it is given the PATH and where compiled code is kept. */
export async function runCommand(
  flags: string[],
  environment: NodeJS.ProcessEnv,
  { cwd, input = '' }: { cwd?: string; input?: string } = {},
): Promise<Ended> {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, [main, ...flags], {
    cwd,
    env: { PATH, NODE_COMPILE_CACHE, ...environment },
  });
  child.stdin.end(input);
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code: typeof code === 'number' ? code : null, out, err };
}
