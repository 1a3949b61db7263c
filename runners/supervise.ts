/**
 * Watches one job on one host until it is done or must be stopped: a sequence of lines, a fair deadline for each case,
 * a cap on resident memory. Whatever the host does, this answers.
 */
import { RunnerError } from './errors.ts';
import type { Host } from './host.ts';
import type { Limits } from './protocol.ts';
import { Watcher } from './watcher.ts';

/** A score may last this many times its limit by the wall before the machine itself is found too busy. */
const overloadFactor = 10;

/** A host is told more when so few answers are due: while it gives them, that reaches it. */
const dueMin = 24;

/** Of the time of a case a host that is at work computes a tenth at least. */
const standstillPart = 0.1;

/**
 * Why a host was stopped while it worked on case `at`; the cases after it did not run. `standstill` is a case's time that was used up
 * without computing.
 */
export type JobEnd =
  | { end: 'done' }
  | {
      end: 'stopped';
      at: number;
      why: 'case_time' | 'standstill' | 'score_time' | 'memory' | 'died' | 'protocol';
    };

/** What a host is told at once. */
export type Batch = {
  line: string;
  /** How many answers are due for it, in sequence with those before. */
  count: number;
};

export type Job = Batch & {
  /** More of the same job for a host that has used so much time of its own, asked for when few answers are due, until there is none. */
  more?(ownMs: number): Batch | undefined;
  /** The largest answer, in bytes. */
  answerBytesMax: number;
  limits: Pick<Limits, 'caseMs' | 'scoreMs' | 'hostMb'>;
  /** `cpuMs` is there where the host measured it. */
  onAnswer(index: number, durationMs: number, text: string, cpuMs?: number): void;
};

/**
 * Runs a job. Resolves when all answers have arrived or the host was stopped, which kills it.
 * Throws `host_lost` if it ended before it began to load foreign code, or with what had started it, `machine_overloaded` if it was never
 * given a core, `host_unavailable` if it cannot be watched: then it is sent nothing.
 */
export function supervise(host: Host, job: Job): Promise<JobEnd> {
  return new Promise((resolve, reject) => {
    const { limits } = job;
    const startedMs = performance.now();
    let loading = false;
    let at = 0;
    let settled = false;
    /** The host's own time, as of the last look. */
    let ownMs = 0;
    /** After how many answers each batch that was sent is done with. */
    const ends: number[] = [];

    const send = ({ line, count }: Batch) => {
      ends.push((ends.at(-1) ?? at) + count);
      host.send(line);
    };
    const sendMore = () => {
      while (job.more !== undefined && (ends.at(-1) ?? at) - at <= dueMin) {
        const batch = job.more(ownMs);
        if (batch === undefined) return;
        send(batch);
      }
    };

    const settle = (conclude: () => void) => {
      if (settled) return;
      settled = true;
      watcher.stop();
      conclude();
    };
    const stop = (why: Extract<JobEnd, { end: 'stopped' }>['why']) =>
      settle(() => {
        host.kill();
        void host.exited.then(() => {
          // What takes too much to be read, before it is loaded, takes too much as well.
          const tooMuch = why !== 'died' && why !== 'protocol';
          if (why === 'died' && host.wasTakenAlong)
            reject(new RunnerError('host_lost', 'the process that starts runner hosts has ended'));
          else if (loading || tooMuch) resolve({ end: 'stopped', at, why });
          else reject(new RunnerError('host_lost', 'a runner host ended before it loaded a candidate'));
        });
      });

    const watcher = new Watcher(host.pid, {
      onMemory: (residentMb) => {
        if (residentMb > limits.hostMb) stop('memory');
      },
      onTime: ({ sinceRestart, sinceStart, computed }) => {
        ownMs = sinceStart;
        if (sinceRestart > limits.caseMs)
          stop(computed < sinceRestart * standstillPart ? 'standstill' : 'case_time');
        else if (sinceStart > limits.scoreMs) stop('score_time');
        else if (performance.now() - startedMs > limits.scoreMs * overloadFactor) {
          settle(() => {
            host.kill();
            reject(new RunnerError('machine_overloaded', 'the machine is too busy to run a candidate'));
          });
        }
      },
    });

    host.read({
      bytesMax: job.answerBytesMax + 64,
      onEnd: (reason) => stop(reason === 'ended' ? 'died' : 'protocol'),
      onLine: (line) => {
        if (settled) return;
        if (!loading) {
          if (line !== 'loading') return stop('protocol');
          loading = true;
        } else if (line === 'done') {
          if (at !== ends.shift()) return stop('protocol');
          if (ends.length === 0) return settle(() => resolve({ end: 'done' }));
        } else {
          const answer = readAnswer(line);
          if (answer === undefined || at >= (ends[0] ?? 0) || answer.index !== at) return stop('protocol');
          job.onAnswer(at, answer.microseconds / 1000, answer.text, answer.cpuMs);
          at++;
          sendMore();
        }
        watcher.restart();
      },
    });
    send(job);
  });
}

type Answer = { index: number; microseconds: number; text: string; cpuMs?: number };

/** An answer is `index microseconds text`, or `index microseconds/microseconds text` with the processor time besides. */
function readAnswer(line: string): Answer | undefined {
  const [head, index, microseconds, cpu] = /^(\d{1,9}) (\d{1,15})(?:\/(\d{1,15}))? /.exec(line) ?? [];
  if (head === undefined || index === undefined || microseconds === undefined) return undefined;
  return {
    index: Number(index),
    microseconds: Number(microseconds),
    text: line.slice(head.length),
    ...(cpu === undefined ? {} : { cpuMs: Number(cpu) / 1000 }),
  };
}
