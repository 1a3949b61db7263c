/**
 * Makes the mutants of a build. The instrumenter is a large library that reads a text which somebody sent, so it runs in a process
 * of its own that may read files and nothing else, under the same kind of watch as esbuild and the hosts.
 */
import { spawn } from 'node:child_process';
import { dirname, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RunnerError } from '../errors.ts';
import { type Watch, watchOrKill } from '../watcher.ts';
import { type Instrumented, instrumentedSchema } from './mutant.ts';

/** The largest build of which mutants are made, in characters: the instrumented text is about four times as long. */
export const mutatedCharsMax = 2 << 20;

const instrumentMsMax = 120_000;
const instrumentMbMax = 2_048;
/** Of what it answers, in bytes. */
const answerBytesMax = 256 << 20;

/** `.ts` in a clone, `.js` in the published package. */
const program = fileURLToPath(new URL(`instrument-process${extname(import.meta.url)}`, import.meta.url));
/** Babel looks for its configuration where it is started: here there is none. */
const folder = dirname(program);

/**
 * All mutants of a build, and the text that holds them. `stop` ends it early. Throws RunnerErrors; what is wrong with the text is
 * in the answer.
 */
export function instrument(source: string, stop: AbortSignal): Promise<Instrumented> {
  if (source.length > mutatedCharsMax) {
    const detail = `it has ${source.length} characters; mutants are made of at most ${mutatedCharsMax}`;
    return Promise.resolve({ ok: false, detail });
  }
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ['--permission', '--allow-fs-read=*', '--no-warnings', program],
      // It ends by itself when it has answered, and when we are gone there is nobody to answer.
      { stdio: ['pipe', 'pipe', 'ignore'], detached: true, cwd: folder, env: {} },
    );
    const lost = (why: string) => reject(new RunnerError('host_lost', `the instrumenter ${why}`));
    let why: string | undefined;
    const end = (reason: string) => {
      why ??= reason;
      child.kill('SIGKILL');
    };
    child.once('error', () => lost('could not be started'));
    if (child.pid === undefined) return;
    const watch: Watch = {
      onMemory: (residentMb) => {
        if (residentMb > instrumentMbMax) end('it takes too much memory to make its mutants');
      },
      onTime: ({ sinceStart }) => {
        if (sinceStart > instrumentMsMax) end('it takes too long to make its mutants');
      },
    };
    const watcher = watchOrKill(child.pid, watch);
    const abandon = () => end('stopped');
    stop.addEventListener('abort', abandon, { once: true });
    if (stop.aborted) abandon();
    const chunks: Buffer[] = [];
    let bytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > answerBytesMax) end('its mutants take too much room');
      else chunks.push(chunk);
    });
    child.stdin.on('error', () => {});
    child.stdout.on('error', () => {});
    child.once('close', (code) => {
      watcher.stop();
      stop.removeEventListener('abort', abandon);
      if (stop.aborted) return reject(new RunnerError('runners_closed', 'the measurement was stopped'));
      if (why !== undefined) return resolve({ ok: false, detail: why });
      if (code !== 0) return lost(`ended with ${code}`);
      try {
        resolve(instrumentedSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8'))));
      } catch {
        lost('answered with something that is no list of mutants');
      }
    });
    child.stdin.end(source);
  });
}
