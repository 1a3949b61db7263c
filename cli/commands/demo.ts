/**
 * `holdback demo`: the main job on a fresh machine with no set-up. A real service, real tokens, real suites and builds, and
 * everything is put away at the end, however it ends.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readBuild } from '../build.ts';
import { Client } from '../client.ts';
import type { Command } from '../command.ts';
import { heading, introduction, scoredBuild, step, summary } from '../demo-story.ts';
import { CommandError } from '../errors.ts';
import { abortOnInterruption } from '../interruption.ts';
import { withProgress } from '../progress.ts';
import { type FinishedScore, readScore, scoreBuild } from '../scoring.ts';
import { type Service, startService } from '../service.ts';
import { readSuiteSource } from '../suite-source.ts';
import { setGate } from './gate.ts';
import { pushSuite } from './suite.ts';
import { createToken } from './token.ts';

type DemoVerdict = {
  suite: string;
  build: string;
  expected: 'merge' | 'block';
  durationMs: number;
  seen: { ci: FinishedScore; author: FinishedScore };
};

/** The document that `holdback demo --json` prints. */
export type DemoReport = { asExpected: boolean; durationMs: number; verdicts: DemoVerdict[] };

type Example = {
  title: string;
  suite: string;
  file: string;
  gate: string;
  /** Whether the builds import packages, so that they have to be bundled. */
  bundled: boolean;
  builds: { file: string; expected: 'merge' | 'block' }[];
};

const examples: Example[] = [
  {
    title: 'Discount codes',
    suite: 'discounts',
    file: 'discounts/discounts.suite.ts',
    gate: 'checkout',
    bundled: false,
    builds: [
      { file: 'discounts/overfitted.ts', expected: 'block' },
      { file: 'discounts/right.ts', expected: 'merge' },
    ],
  },
  {
    title: 'A published library: currency.js with a known bug (2.0.2), and mended (2.0.3)',
    suite: 'library',
    file: 'library/library.suite.json',
    gate: 'library',
    bundled: true,
    builds: [
      { file: 'library/broken.ts', expected: 'block' },
      { file: 'library/fixed.ts', expected: 'merge' },
    ],
  },
];

const waitSeconds = 120;

export const demoCommand: Command = {
  words: 'demo',
  about: 'Show the main job, with no set-up: two pairs of builds at two gates of a service made for it.',
  positionals: [],
  flags: {},
  notes: ['It ends with exit code 0 only if the four verdicts are block, merge, block and merge.'],
  async run(given, say) {
    const startedAt = performance.now();
    const interruption = abortOnInterruption();
    const dataDir = await mkdtemp(join(tmpdir(), 'holdback-demo-'));
    let service: Service | undefined;
    let verdicts: DemoVerdict[];
    try {
      for (const line of introduction) say(line);
      say(heading('The service'));
      const adminToken = `hb_${randomBytes(24).toString('hex')}`;
      const starting = startService({
        environment: environmentOf(given.environment, dataDir, adminToken),
        say: (line) => console.error(line),
        interruption,
      });
      service = await withProgress('starting the service', starting);
      say(step(`listens on ${service.url}, with its embedded database in a fresh folder`, since(startedAt)));
      verdicts = await tellStory({ url: service.url, adminToken, say });
    } catch (error) {
      if (!interruption.aborted) throw error;
      throw new CommandError(
        'service',
        'interrupted',
        'interrupted: the service is stopped and its data removed',
      );
    } finally {
      await service?.stop();
      await rm(dataDir, { recursive: true, force: true });
    }
    const asExpected = verdicts.every(({ expected, seen }) => isAsExpected(expected, seen.ci));
    const durationMs = since(startedAt);
    say(
      summary(
        verdicts.map(({ seen, ...rest }) => ({ ...rest, score: seen.ci })),
        asExpected,
        durationMs,
      ),
    );
    return { kind: 'demo', report: { asExpected, durationMs, verdicts } };
  },
};

type Stage = { url: string; adminToken: string; say: (line: string) => void };

/** Makes the tokens, then goes through the examples. */
async function tellStory({ url, adminToken, say }: Stage): Promise<DemoVerdict[]> {
  const startedAt = performance.now();
  const admin = new Client({ url, token: adminToken });
  const [ci, author] = await Promise.all([
    createToken(admin, { role: 'ci', name: 'the pipeline of the demo' }),
    createToken(admin, { role: 'author', name: 'QA of the demo' }),
  ]);
  say(
    step('made two tokens: ci, which asks for verdicts, and author, which writes suites', since(startedAt)),
  );
  const clients = {
    admin,
    ci: new Client({ url, token: ci.token }),
    author: new Client({ url, token: author.token }),
  };
  const verdicts: DemoVerdict[] = [];
  for (const example of examples) verdicts.push(...(await showExample(clients, example, say)));
  return verdicts;
}

/** Seals the example's suite, sets its gate, and scores its builds. */
async function showExample(
  clients: { admin: Client; ci: Client; author: Client },
  { title, suite, file, gate, bundled, builds }: Example,
  say: Stage['say'],
): Promise<DemoVerdict[]> {
  say(heading(title));
  const root = dirname(findPackageJSON(import.meta.url) ?? '.');
  const startedAt = performance.now();
  const source = await readSuiteSource(join(root, 'examples', file));
  const sealed = await withProgress('sealing the suite', pushSuite(clients.author, suite, source, true));
  await setGate(clients.admin, gate, { suites: [suite], disclosure: 'verdict' });
  const tried = sealed.notes === undefined ? ', tried on builds that are known' : '';
  const what = `sealed examples/${file}: ${sealed.cases} cases${tried}; gate ${gate} requires them`;
  say(step(what, since(startedAt)));
  const verdicts: DemoVerdict[] = [];
  for (const { file: path, expected } of builds) {
    const build = await readBuild(
      bundled ? { entry: join(root, bundledPath(path)) } : { file: join(root, 'examples', path) },
    );
    const scoredAt = performance.now();
    // The commit is made up; the digest of the build is what binds the verdict.
    const change = { id: path, commit: build.digest.slice(-40), agent: 'demo' };
    const scoring = scoreBuild(clients.ci, { gate, change, build, waitSeconds });
    const seenByCi = finished(await withProgress(`scoring examples/${path}`, scoring));
    const durationMs = since(scoredAt);
    const seen = { ci: seenByCi, author: finished(await readScore(clients.author, seenByCi.id)) };
    say(scoredBuild(`examples/${path}`, durationMs, seen));
    verdicts.push({ suite, build: path, expected, durationMs, seen });
  }
  return verdicts;
}

/** In the published package the builds that import packages come bundled: the packages are not there. */
function bundledPath(path: string): string {
  return import.meta.url.endsWith('.ts')
    ? join('examples', path)
    : join('dist/examples', path.replace(/\.ts$/, '.js'));
}

function finished(score: Awaited<ReturnType<typeof readScore>>): FinishedScore {
  if (score.state === 'finished') return score;
  throw new CommandError('service', 'still_running', `a score of the demo still runs after ${waitSeconds} s`);
}

function isAsExpected(expected: 'merge' | 'block', { verdict, canMerge, reason }: FinishedScore): boolean {
  if (expected === 'merge') return verdict === 'merge' && canMerge && reason === 'green';
  return verdict === 'block' && !canMerge && reason === 'red';
}

/** The caller's environment without any setting of a service: the demo's own must stand alone. */
function environmentOf(caller: NodeJS.ProcessEnv, dataDir: string, adminToken: string): NodeJS.ProcessEnv {
  const own = Object.entries(caller).filter(([name]) => !/^(?:HOLDBACK_|DATABASE_URL$)/.test(name));
  return {
    ...Object.fromEntries(own),
    HOLDBACK_PORT: '0',
    HOLDBACK_DATA_DIR: dataDir,
    // Who interrupts it waits for nothing.
    HOLDBACK_DRAIN_MS: '0',
    HOLDBACK_ADMIN_TOKEN: adminToken,
  };
}

function since(startedAt: number): number {
  return performance.now() - startedAt;
}
