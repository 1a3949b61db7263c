/**
 * The strength of a suite, as its author asks for it: mutants of a real library, through HTTP, with everything that belongs to it. It
 * is measured against the bare loop over as many realms as the mutants were run in.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { measurementSchema, type StrengthReport } from '../gate/strength/strength.ts';

/** How often it is asked whether it is done, in milliseconds. */
const askMs = 20;

/** The candidate of the bench as the library's own author would bundle it: readable, and none of it from node_modules. */
export async function bundleReadably(root: string): Promise<string> {
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

type Ask = (method: string, path: string, body?: unknown) => Promise<unknown>;

/** One measurement from the request to the report, in milliseconds. */
export async function timeStrength(
  ask: Ask,
  suite: string,
  request: { build: string; mutants: number; full: boolean },
): Promise<{ tookMs: number; report: StrengthReport }> {
  const path = `/suites/${suite}/revisions/1/strength`;
  const started = performance.now();
  const begun = measurementSchema.parse(await ask('POST', path, request));
  for (;;) {
    const measurement = measurementSchema.parse(await ask('GET', `${path}/${begun.id}`));
    if (measurement.state === 'finished') {
      return { tookMs: performance.now() - started, report: measurement.report };
    }
    if (measurement.state === 'failed') throw new Error(measurement.message);
    await sleep(askMs);
  }
}
