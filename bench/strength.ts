/**
 * The strength of a suite, as its author asks for it: mutants of a real library, through HTTP, with everything that belongs to it. It
 * is measured against the bare loop over as many realms as the mutants were run in.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { measurementSchema, type StrengthReport } from '../gate/strength/strength.ts';
import { type BenchService, root } from './bench-service.ts';
import { makeCases } from './cases.ts';
import { compare, type Row } from './row.ts';
import { timeBareLoop } from './time-processes.ts';
import { settleMs } from './time-score.ts';

/** How often it is asked whether it is done, in milliseconds. */
const askMs = 20;
const mutants = 500;

/** A row for measurements of every mutant in every case, and one for such as stop at the first case that kills. */
export async function compareStrengths(
  service: BenchService,
  script: string,
  { rounds, cores }: { rounds: number; cores: number },
): Promise<Row[]> {
  const cases = makeCases(100);
  await service.ask('POST', '/suites/strength/revisions', { cases });
  const request = { build: await bundleReadably(), mutants };
  const rows: Row[] = [];
  for (const full of [true, false]) {
    const times = { ours: [] as number[], bare: [] as number[] };
    let what = '';
    for (let turn = 0; turn < rounds; turn++) {
      await sleep(settleMs);
      const { tookMs, report } = await timeStrength(service, 'strength', { ...request, full });
      const realms = Array.from({ length: report.runs }, (_, index) => cases[index % cases.length]);
      times.ours.push(tookMs);
      times.bare.push(
        await timeBareLoop(
          script,
          realms.filter((one) => one !== undefined),
          cores,
        ),
      );
      what = `${mutants} mutants × ${cases.length} cases${full ? ', full' : ''}: ${report.runs} realms, ${report.killed} killed`;
    }
    rows.push(compare(what, times.ours, times.bare, { most: 3 }));
  }
  return rows;
}

/** The candidate of the bench as the library's own author would bundle it: readable, and none of it from node_modules. */
async function bundleReadably(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'bench/candidate.ts')],
    absWorkingDir: join(root, 'node_modules/semver'),
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}

/** One measurement from the request to the report, in milliseconds. */
async function timeStrength(
  service: BenchService,
  suite: string,
  request: { build: string; mutants: number; full: boolean },
): Promise<{ tookMs: number; report: StrengthReport }> {
  const path = `/suites/${suite}/revisions/1/strength`;
  const started = performance.now();
  const begun = measurementSchema.parse(await service.ask('POST', path, request));
  for (;;) {
    const measurement = measurementSchema.parse(await service.ask('GET', `${path}/${begun.id}`));
    if (measurement.state === 'finished') {
      return { tookMs: performance.now() - started, report: measurement.report };
    }
    if (measurement.state === 'failed') throw new Error(measurement.message);
    await sleep(askMs);
  }
}
