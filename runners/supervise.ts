/**
 * Watches one job on one host until it is done or must be stopped: a sequence of lines, a fair deadline for each case,
 * a cap on resident memory. Whatever the host does, this answers.
 */
import { RunnerError } from './errors.ts';
import { FairClock } from './fair-clock.ts';
import type { Host } from './host.ts';
import type { Limits } from './protocol.ts';
import { readUsage, wantsCore } from './usage.ts';

/** How often a busy host's memory and time are looked at, in milliseconds. */
const lookMs = 10;

/** A score may last this many times its limit by the wall before the machine itself is found too busy. */
const overloadFactor = 10;

/** Why a host was stopped while it worked on case `at`; the cases after it did not run. */
export type JobEnd =
  | { end: 'done' }
  | { end: 'stopped'; at: number; why: 'case_time' | 'score_time' | 'memory' | 'died' | 'protocol' };

export type Job = {
  line: string;
  /** How many answers are due, in sequence. */
  count: number;
  /** The largest answer, in bytes. */
  answerBytesMax: number;
  limits: Pick<Limits, 'caseMs' | 'scoreMs' | 'hostMb'>;
  onAnswer(index: number, durationMs: number, text: string): void;
};

/**
 * Runs a job. Resolves when all answers have arrived or the host was stopped, which kills it.
 * Throws `host_lost` if it ended before it began to load foreign code, `machine_overloaded` if it was never given a core.
 */
export function supervise(host: Host, job: Job): Promise<JobEnd> {
  return new Promise((resolve, reject) => {
    const { limits } = job;
    const startedMs = performance.now();
    let loading = false;
    let at = 0;
    let settled = false;
    let caseClock = new FairClock();
    const scoreClock = new FairClock();
    let last = { wallMs: startedMs, cpuMs: readUsage(host.pid)?.cpuMs ?? 0 };

    const settle = (conclude: () => void) => {
      if (settled) return;
      settled = true;
      clearInterval(timer);
      conclude();
    };
    const stop = (why: Extract<JobEnd, { end: 'stopped' }>['why']) =>
      settle(() => {
        host.kill();
        void host.exited.then(() => {
          if (loading) resolve({ end: 'stopped', at, why });
          else reject(new RunnerError('host_lost', 'a runner host ended before it loaded a candidate'));
        });
      });

    const look = () => {
      const usage = readUsage(host.pid);
      // A process that is gone closes its channel, and that is what ends the job.
      if (usage === undefined) return;
      const wallMs = performance.now();
      const step = {
        wallMs: wallMs - last.wallMs,
        cpuMs: usage.cpuMs - last.cpuMs,
        wantsCore: usage.cpuMs - last.cpuMs < wallMs - last.wallMs && wantsCore(host.pid),
      };
      last = { wallMs, cpuMs: usage.cpuMs };
      caseClock.advance(step);
      scoreClock.advance(step);
      if (usage.residentMb > limits.hostMb) stop('memory');
      else if (caseClock.ownMs > limits.caseMs) stop('case_time');
      else if (scoreClock.ownMs > limits.scoreMs) stop('score_time');
      else if (wallMs - startedMs > limits.scoreMs * overloadFactor) {
        settle(() => {
          host.kill();
          reject(new RunnerError('machine_overloaded', 'the machine is too busy to run a candidate'));
        });
      }
    };
    const timer = setInterval(look, lookMs);

    host.read({
      bytesMax: job.answerBytesMax + 64,
      onEnd: (reason) => stop(reason === 'ended' ? 'died' : 'protocol'),
      onLine: (line) => {
        if (settled) return;
        if (!loading) {
          if (line !== 'loading') return stop('protocol');
          loading = true;
        } else if (line === 'done') {
          if (at !== job.count) return stop('protocol');
          return settle(() => resolve({ end: 'done' }));
        } else {
          const answer = /^(\d{1,9}) (\d{1,15}) (.*)$/s.exec(line);
          const [, index, microseconds, text] = answer ?? [];
          if (at >= job.count || text === undefined || Number(index) !== at) return stop('protocol');
          job.onAnswer(at, Number(microseconds) / 1000, text);
          at++;
        }
        caseClock = new FairClock();
      },
    });
    host.send(job.line);
  });
}
