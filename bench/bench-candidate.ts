/** The candidate of the bench as it is handed in, and as scripts for those that it is compared with. */
import { join } from 'node:path';
import { build } from 'esbuild';
import { root } from './bench-service.ts';

export type BenchCandidate = {
  /** What the service is given: an ES module. */
  source: string;
  /** The same as a script that defines `candidate`. */
  script: string;
};

export async function bundleCandidate(): Promise<BenchCandidate> {
  const [source, script] = await Promise.all([bundle('esm'), bundle('iife')]);
  return { source, script };
}

async function bundle(format: 'esm' | 'iife'): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'bench/candidate.ts')],
    bundle: true,
    minify: true,
    platform: 'browser',
    format,
    globalName: format === 'iife' ? 'candidate' : undefined,
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}
