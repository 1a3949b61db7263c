/**
 * A host: one operating-system process in which foreign code runs on a Piscina thread. It says when it is ready, takes jobs as lines
 * on standard input and sends what its thread answers on the channel.
 * When its parent goes away it ends itself, so that nothing is left running.
 */
import { read } from 'node:fs';
import { join } from 'node:path';
import { Piscina } from 'piscina';
import { dropPermissions } from './drop-permissions.ts';
import { beginLine, readyLine } from './greeting.ts';
import { makeOutboxMemory, Outbox } from './outbox.ts';

/** How often answers are sent while a job is under way, in milliseconds. */
const sendMs = 10;
const newline = 10;
const begin = Buffer.from(beginLine);
const isolateMb = Number(process.argv[2]);
const memory = makeOutboxMemory();
const outbox = new Outbox(memory);

// A wall leaves it there, and the other has been read.
delete process.env.PWD;
delete process.env.GLIBC_TUNABLES;

const piscina = new Piscina({
  filename: join(__dirname, 'thread.cjs'),
  minThreads: 1,
  maxThreads: 1,
  idleTimeout: Number.POSITIVE_INFINITY,
});

function endSelf(): never {
  // `process.exit()` waits for threads, and a wedged one never answers.
  process.kill(process.pid, 'SIGKILL');
  // The first process of a namespace does not hear its own signals, but it can fail.
  process.abort();
}

function say(line: string): void {
  outbox.put(line);
  outbox.send();
}

async function doJob(line: Buffer): Promise<void> {
  if (line.equals(begin)) return say(readyLine);
  const sending = setInterval(() => outbox.send(), sendMs);
  const job: unknown = JSON.parse(line.toString('utf8'));
  if (typeof job === 'object' && job !== null && 'zone' in job) enterZone(job.zone);
  await piscina.run(job, { name: 'run' });
  clearInterval(sending);
  say('done');
}

/**
 * Puts the process into a time zone. Only the main thread can, and only isolates that are made afterwards take it over. Throws if
 * the engine does not know the zone.
 */
function enterZone(zone: unknown): void {
  process.env.TZ = `${zone}`;
  const entered = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (entered !== zone) throw new Error(`the time zone is ${entered} and not ${zone}`);
}

/** Reads lines for as long as the parent lives; what they ask for is done one after the other. */
function readJobs(pending: Buffer[], before: Promise<void>): void {
  const chunk = Buffer.allocUnsafe(1 << 20);
  read(0, chunk, 0, chunk.length, null, (error, length) => {
    if (error !== null || length === 0) endSelf();
    let rest = chunk.subarray(0, length);
    let parts = pending;
    let jobs = before;
    for (let end = rest.indexOf(newline); end !== -1; end = rest.indexOf(newline)) {
      const line = Buffer.concat([...parts, rest.subarray(0, end)]);
      jobs = jobs.then(() => doJob(line)).catch(endSelf);
      parts = [];
      rest = rest.subarray(end + 1);
    }
    readJobs(rest.length === 0 ? parts : [...parts, rest], jobs);
  });
}

piscina.run({ isolateMb, memory }, { name: 'warm' }).then(() => {
  dropPermissions();
  readJobs([], Promise.resolve());
}, endSelf);
