/** `holdback score`: the required check of a pipeline. Its exit code is the verdict. */
import { priorities, prioritySchema } from '../../gate/gate.ts';
import type { VisibleTests } from '../../gate/visible-report.ts';
import { entryFlag, readGivenBuild } from '../build.ts';
import { changeFlags, questionFlags, readChange, readGate } from '../change.ts';
import { connect } from '../client.ts';
import type { Command } from '../command.ts';
import { withProgress } from '../progress.ts';
import { scoreBuild } from '../scoring.ts';

const waitSecondsDefault = 60;
const waitSecondsMax = 7_200;

/** What reads XML is loaded by those alone who have a report. */
async function readReport(path: string): Promise<VisibleTests> {
  const { readVisibleTests } = await import('../visible-report.ts');
  return readVisibleTests(path);
}

export const scoreCommand: Command = {
  words: 'score',
  about: 'Score a build at a gate and tell whether it may merge.',
  positionals: [{ name: 'FILE', about: 'The build: one module, sent as it is.', optional: true }],
  flags: {
    ...questionFlags,
    entry: entryFlag,
    ...changeFlags,
    'visible-tests': {
      value: 'FILE',
      about:
        "How the pipeline's own tests came out: JUnit XML, CTRF, or {passed, total}. Trends tell the gap.",
    },
    priority: { value: 'WHAT', about: `What waits for it: ${priorities.toReversed().join(', ')} (change).` },
    wait: { value: 'SECONDS', about: `How long to wait for the verdict (${waitSecondsDefault}).` },
    'idempotency-key': { value: 'KEY', about: 'Asked again with the same key, the same score answers.' },
  },
  notes: [
    'Exit codes: 0 merge, 1 block, 2 usage, 3 no verdict could be had.',
    'Example: holdback score --gate checkout --change 42 --entry src/index.ts',
  ],
  async run(given) {
    const gate = readGate(given);
    const waitSeconds =
      given.number('wait', { min: 0, max: waitSecondsMax, whole: true }) ?? waitSecondsDefault;
    const idempotencyKey = given.text('idempotency-key');
    if (idempotencyKey !== undefined && !/^[\x21-\x7e]{1,200}$/.test(idempotencyKey)) {
      throw given.wrong('--idempotency-key takes 1 to 200 printable ASCII characters without spaces');
    }
    const priority = prioritySchema.optional().safeParse(given.text('priority'));
    if (!priority.success) throw given.wrong(`--priority takes one of ${priorities.join(', ')}`);
    const [change, build] = [await readChange(given), await readGivenBuild(given)];
    const report = given.text('visible-tests');
    const visibleTests = report === undefined ? undefined : await readReport(report);
    const client = connect(given.environment);
    const score = await withProgress(
      `scoring at gate ${gate}`,
      scoreBuild(client, {
        ...{ gate, change, build, visibleTests, waitSeconds, idempotencyKey },
        priority: priority.data,
      }),
    );
    return { kind: 'score', score, waitSeconds };
  },
};
