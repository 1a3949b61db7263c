/** Sees that candidates are contained on this machine before anybody can have one run. */
import type { HostCode } from '../runners/bundle.ts';
import { RunnerError } from '../runners/errors.ts';
import type { HostPool } from '../runners/pool.ts';
import { type ProbeReport, probeContainment } from './probe-containment.ts';
import type { Grader } from './scoring/grader.ts';

type Runners = { code: HostCode; pool: HostPool };
type Graders = { code: HostCode; grader: Grader };

/** What was found of code that was probed before: neither it nor the machine changes while a process runs it. */
const probed = new Map<string, Promise<ProbeReport>>();

/**
 * Throws `unsupported_system` where containment is broken, unless the settings want to run candidates nevertheless, and `runners_closed`
 * if the pool is closed meanwhile.
 */
export async function requireContainment(
  runners: Runners,
  graders: Graders,
  { unsafeRunners }: { unsafeRunners: boolean },
): Promise<'holds' | 'broken'> {
  const { faults } = await probe(runners, graders);
  // Nothing is known then, and nobody asks any more.
  runners.pool.throwIfClosed();
  if (faults.length === 0) return 'holds';
  const what = `candidates are not contained here: ${faults.join('; ')}`;
  if (!unsafeRunners)
    throw new RunnerError(
      'unsupported_system',
      `${what}. HOLDBACK_UNSAFE_RUNNERS=1 starts nevertheless: then whoever can have a build scored can take over this machine`,
    );
  process.emitWarning(`UNSAFE: ${what}. Whoever can have a build scored can take over this machine`);
  return 'broken';
}

async function probe(runners: Runners, graders: Graders): Promise<ProbeReport> {
  const code = `${runners.code.version} ${graders.code.version}`;
  const earlier = probed.get(code);
  const probing = earlier ?? probeContainment(runners.pool, graders.grader);
  probed.set(code, probing);
  const report = await probing;
  if (report.faults.length > 0) probed.delete(code);
  return report;
}
