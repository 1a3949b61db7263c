/** One running service: constructs every part, in the order in which they need one another, and ends them in reverse. */
import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import pLimit from 'p-limit';
import { Preflights } from '../gate/activation/preflight.ts';
import { buildTrier } from '../gate/activation/try-build.ts';
import { AuditLog } from '../gate/audit/audit-log.ts';
import { type Accepted, type Decided, happened } from '../gate/happened.ts';
import { listForgotten } from '../gate/history.ts';
import { findGateIfAny } from '../gate/policies.ts';
import { ScoreQueue } from '../gate/queue/score-queue.ts';
import { VerdictNews } from '../gate/queue/verdict-news.ts';
import { Worker } from '../gate/queue/worker.ts';
import { requireContainment } from '../gate/require-containment.ts';
import { ResultMonths } from '../gate/result-months.ts';
import type { Scoring } from '../gate/score.ts';
import { CandidateScripts } from '../gate/scoring/candidate-scripts.ts';
import { Grader } from '../gate/scoring/grader.ts';
import { Measurements } from '../gate/strength/measurements.ts';
import { Submissions } from '../gate/submit.ts';
import { type OpenDatabase, openDatabase } from '../migrations/open-database.ts';
import { type HostCode, hostFolderPrefix } from '../runners/bundle.ts';
import type { HostPool } from '../runners/pool.ts';
import { Transformer } from '../runners/transformer.ts';
import { CaseChecks } from '../suites/authoring/case-checks.ts';
import type { Authoring } from '../suites/authoring/make-revision.ts';
import { OpenedSuites } from '../suites/opened-suites.ts';
import { identityPath, isBeingRotated, loadIdentity } from '../suites/sealing/identity.ts';
import { loadKeys } from '../suites/sealing/keys.ts';
import { Rotation } from '../suites/sealing/rotation.ts';
import { Seals } from '../suites/sealing/sealing.ts';
import { buildApp } from './app.ts';
import type { Config } from './config.ts';
import { boundConnections } from './connections.ts';
import { removeLeftFolders } from './host-folders.ts';
import { bundleGenerator, Hosts } from './hosts.ts';
import { loadIssuers } from './issuers.ts';
import { Metrics } from './metrics.ts';
import { ReadinessCheck } from './readiness.ts';
import { ScoreEvents } from './score-events.ts';
import { ensureAdminToken } from './tokens.ts';

export type Service = {
  app: FastifyInstance;
  /** Where it listens, as `http://host:port`. */
  address: string;
  /** The first admin token, if it was made just now: it is never shown again. */
  newAdminToken: string | undefined;
  runners: HostPool;
  graders: HostPool;
  /** The folders that hosts and graders read their code from. */
  hostCode: HostCode;
  graderCode: HostCode;
  database: OpenDatabase;
  /** Ends everything: no process is left running. */
  close(): Promise<void>;
};

/** So many connections may wait to be accepted: Node's 511 are fewer than callers in a rush. The system may allow less. */
const backlog = 4_096;

/** When the service closes, answers under way have this long to be read, in milliseconds. */
const closeMs = 2_000;

/** Starts a service, with hosts that may have been started before. What had been started when something fails, or `stop` calls it off, is ended again. */
export async function startService(
  config: Config,
  stop?: AbortSignal,
  hosts = new Hosts(config.walls),
): Promise<Service> {
  const ending: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const end of ending.splice(0).reverse()) await end();
  };
  const starting: Promise<unknown>[] = [];
  const calledOff = new AbortController();
  const callOff = () => calledOff.abort();
  const start = <Part>(part: Promise<Part>, end: (part: Part) => Promise<unknown>): Promise<Part> => {
    const started = part.then((ready) => {
      ending.push(() => end(ready));
      return ready;
    });
    starting.push(started);
    // Whoever needs it hears of it; what fails while something else is still waited for must not end the process.
    started.catch(() => {});
    return started;
  };
  ending.push(() => hosts.close());
  // Whoever ends the rest hears what fails.
  calledOff.signal.addEventListener('abort', () => hosts.close().catch(() => {}));
  try {
    stop?.throwIfAborted();
    stop?.addEventListener('abort', callOff);
    // First, because they take no time, and wrong ones should not either.
    const issuers = await loadIssuers(config);
    if (config.collector !== undefined) {
      const { startTracing } = await import('./tracing.ts');
      ending.push(startTracing(config.collector, await readVersion()));
    }
    const identity = await loadIdentity(config);
    const seals = new Seals(identity);
    // A node that does not score runs builds for authors alone, and starts hosts when one of them asks.
    const scores = config.role !== 'api';
    const transformer = new Transformer();
    ending.push(async () => transformer.close());
    // Hosts are started on one core while the database opens on another.
    const [
      database,
      { code: hostCode, pool: runners },
      { code: graderCode, pool: graders },
      { walls, missing },
    ] = await Promise.all([
      start(openDatabase(config), (opened) => opened.close()),
      hosts.runners,
      hosts.graders,
      hosts.walls,
    ]);
    const grader = new Grader(graders, transformer, bundleGenerator);
    stop?.throwIfAborted();
    const { queueBackend: backend, slotMs } = config;
    const openingQueue = start(ScoreQueue.open(database, { backend, slotMs }), (opened) => opened.close());
    const keys = await loadKeys(database.database, seals);
    const auditLog = new AuditLog(database.database, keys.auditSeed);
    auditLog.start();
    ending.push(() => auditLog.close());
    const resultMonths = new ResultMonths(database.database, config.keepResultsMonths);
    ending.push(() => resultMonths.close());
    const path = identityPath(config);
    // In a file that its owner keeps they may be there for another purpose.
    const mayTidy = path !== undefined && (config.identityFile === undefined || (await isBeingRotated(path)));
    const rotation = new Rotation({
      ...{ database: database.database, seals, identity, path, mayTidy },
      forget: () => database.durability.renew(),
    });
    ending.push(() => rotation.stop());
    const suites = new OpenedSuites({ database: database.database, seals, keys });
    const preflights = new Preflights({
      database: database.database,
      suites,
      runners,
      transformer,
      grader,
      hostsPerScore: config.hostsPerScore,
      runner: runnerVersion(hostCode, graderCode),
      rounds: config.preflightRounds,
    });
    const candidates = new CandidateScripts(database.database, transformer);
    const scoring: Scoring = {
      database: database.database,
      seals,
      suites,
      runners,
      candidates,
      transformer,
      grader,
      preflights,
      hostsPerScore: config.hostsPerScore,
      slotMs: config.slotMs,
    };
    const queue = await openingQueue;
    const news = new VerdictNews();
    await news.listen(database);
    await database.requireSlots(slotMs);
    const turns = pLimit(config.concurrency);
    const worker = scores ? new Worker({ scoring, queue, news, turns }) : undefined;
    const placesMax = config.queue + config.concurrency;
    const submissions = new Submissions({ scoring, queue, news, worker, turns, placesMax });
    const scoreEvents = new ScoreEvents(submissions, database);
    const measurements = new Measurements({
      database: database.database,
      seals,
      suites,
      runners,
      transformer,
      grader,
      hosts: config.hostsPerScore,
      startMutantHosts: () => hosts.startMutants(),
    });
    await queue.giveUpLeft();
    await queue.adopt(
      await listForgotten(database.database),
      async (gate) => (await findGateIfAny(database.database, gate))?.concurrency,
    );
    const readiness = new ReadinessCheck({
      durability: database.durability,
      database: database.database,
      runners,
      graders,
      walls: walls.means,
    });
    const authoring: Authoring = {
      database: database.database,
      seals,
      keys,
      reader: grader,
      tryBuild: buildTrier({ runners, transformer, hostsPerScore: 1 }),
    };
    const metrics = new Metrics({
      database: database.database,
      pools: { runners, graders },
      queue: () => queue.depth(),
    });
    ending.push(async () => metrics.close());
    const app = await buildApp({
      authoring,
      caseChecks: new CaseChecks(authoring, suites),
      suites,
      preflights,
      proving: {
        database: database.database,
        suites,
        candidates,
        runners,
        grader,
        transformer,
        hostsPerScore: config.hostsPerScore,
      },
      rotation,
      submissions,
      moments: database.moments,
      durability: database.durability,
      backUp: database.backUp,
      scoreEvents,
      measurements,
      auditLog,
      readiness,
      role: config.role,
      metrics,
      metricsToken: config.metricsToken,
      slotMs: config.slotMs,
      version: await readVersion(),
      logLevel: config.logLevel,
      issuers,
      ratePerAddress: config.ratePerAddress,
      ratePerToken: config.ratePerToken,
      trustProxy: config.trustProxy,
    });
    app.log.info({ walls: walls.means, missing }, 'runner processes are started behind these walls');
    ending.push(async () => {
      readiness.stopping = true;
      await worker?.drain(config.drainMs);
      // What has not ended fails now, and goes back to the queue; those who wait are told before the server closes.
      transformer.close();
      await Promise.all([runners.close(), graders.close(), measurements.close()]);
      await worker?.stop();
      submissions.close();
      scoreEvents.close();
      // A connection on which nothing was ever asked counts as busy, and would be waited for.
      const force = setTimeout(() => app.server.closeAllConnections(), closeMs);
      await app.close();
      clearTimeout(force);
    });
    // The log, too, tells of nothing that a loss of power could still undo.
    const whenDurable = (tell: () => void) => void database.durability.settled().then(tell, () => {});
    const tellDecided = (decided: Decided) => whenDurable(() => app.log.info(decided, 'score decided'));
    const tellAccepted = (accepted: Accepted) => whenDurable(() => app.log.info(accepted, 'score accepted'));
    happened.on('accepted', tellAccepted);
    happened.on('decided', tellDecided);
    ending.push(async () => void happened.off('accepted', tellAccepted).off('decided', tellDecided));
    transformer.prepare();
    // Only now: whoever stops programs that never end must not be held up itself, as by opening the database, or they take its cores.
    readiness.containment = await requireContainment(
      { code: hostCode, pool: runners },
      { code: graderCode, grader },
      config,
    );
    // Hosts of candidates start, as the probe has shown; those that it used up are followed by others, for whoever asks first.
    await graders.warm(1);
    stop?.throwIfAborted();
    boundConnections(app.server, (message) => app.log.warn(message));
    const { host, port } = config;
    const address = await app.listen({ host, port, backlog }).catch((error: unknown) => {
      throw cannotListen(config, error);
    });
    // From now on, so that no more than the probe needs are started before somebody can ask.
    runners.keep(scores ? config.pool : 0);
    // More than scores can use at once would wait for nothing.
    graders.keep(scores ? Math.max(1, Math.min(config.pool, config.concurrency)) : 1);
    resultMonths.start();
    removeLeftFolders(hostFolderPrefix).catch(() => {});
    await worker?.start();
    // Last: a token that was made by a service that then does not start would never be shown, and no other would be made.
    // A node that answers nobody makes none either.
    stop?.throwIfAborted();
    const newAdminToken =
      config.role === 'runner' ? undefined : await ensureAdminToken(database.database, config.adminToken);
    await database.durability.settled();
    // From now on it is ended by `close`, which lets end what is under way.
    stop?.removeEventListener('abort', callOff);
    return { app, address, newAdminToken, runners, graders, hostCode, graderCode, database, close };
  } catch (error) {
    // What is still starting is waited for, so that it can be ended too; nobody needs to know any more what the probe finds.
    calledOff.abort();
    await Promise.allSettled(starting);
    await close();
    throw error;
  }
}

/** Why it cannot listen, and what to do. */
function cannotListen({ host, port }: Config, cause: unknown): Error {
  const code = cause instanceof Error && 'code' in cause ? `${cause.code}` : '';
  const notOurs = `HOLDBACK_HOST=${host} is no address of this machine: set it to one, such as 127.0.0.1 or localhost, or 0.0.0.0 for all`;
  const why: Record<string, string | undefined> = {
    ENOTFOUND: notOurs,
    EAI_AGAIN: notOurs,
    EADDRNOTAVAIL: notOurs,
    EADDRINUSE: `something listens at port ${port} of ${host} already: stop that, or set HOLDBACK_PORT to another`,
    EACCES: `this user may not listen at port ${port}: set HOLDBACK_PORT to one from 1024 on`,
  };
  return new Error(why[code] ?? `it cannot listen at port ${port} of ${host}: ${cause}`, { cause });
}

/** What runs and grades builds, as a text that changes when any of it does. */
function runnerVersion(hosts: HostCode, graders: HostCode): string {
  const parts = [hosts, graders].map(({ version }) => version.slice(0, 12));
  return `node ${process.versions.node}, hosts ${parts.join(', graders ')}`;
}

async function readVersion(): Promise<string> {
  const folder = import.meta.url.endsWith('.ts') ? '..' : '../..';
  const text = await readFile(new URL(`${folder}/package.json`, import.meta.url), 'utf8');
  const parsed: unknown = JSON.parse(text);
  const version: unknown =
    typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, 'version') : '';
  return `${version}`;
}
