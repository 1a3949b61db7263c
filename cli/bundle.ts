/** Bundles a module with everything it imports into one ES module, the same one from whatever folder it is asked for. */
import { dirname, resolve } from 'node:path';
import type { BuildOptions } from 'esbuild';
import { z } from 'zod';
import { CommandError, usageError } from './errors.ts';

const failureSchema = z.object({
  errors: z.array(
    z.object({
      text: z.string(),
      location: z.object({ file: z.string(), line: z.number(), column: z.number() }).nullable(),
    }),
  ),
});

/** How many of esbuild's errors are told. */
const errorsMax = 5;

/** That a module does not bundle: each of esbuild's errors, with its place where it has one. */
export class BundleError extends CommandError {
  readonly faults: BundleFault[];

  constructor(path: string, faults: BundleFault[], options: ErrorOptions) {
    const told = faults.slice(0, errorsMax).map(({ file, place, text }) => {
      return place === null ? text : `${file}:${place.line}:${place.column}: ${text}`;
    });
    super('usage', 'usage', `${path} cannot be bundled: ${told.join('; ')}`, options);
    this.faults = faults;
  }
}

/** `file` is relative to the folder of the module. */
type BundleFault = { file: string | null; place: { line: number; column: number } | null; text: string };

/** The bundled text. Throws a BundleError that says where the module cannot be bundled. */
export async function bundleModule(
  path: string,
  options: BuildOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const entry = resolve(path);
  // Most commands bundle nothing, and do not wait for it.
  const { build } = await import('esbuild');
  try {
    const { outputFiles } = await build({
      ...options,
      entryPoints: [entry],
      // esbuild writes paths into comments; so they, and with them the digest, do not depend on the caller's folder.
      absWorkingDir: dirname(entry),
      bundle: true,
      format: 'esm',
      platform: 'browser',
      target: 'node26',
      mainFields: ['module', 'main'],
      define: { 'process.env.NODE_ENV': '"production"' },
      write: false,
      logLevel: 'silent',
    });
    const [file] = outputFiles;
    if (file === undefined || outputFiles.length !== 1)
      throw usageError(`${path} does not bundle to one module`);
    return new Uint8Array(file.contents);
  } catch (cause) {
    const failure = failureSchema.safeParse(cause);
    if (!failure.success) throw cause;
    const faults = failure.data.errors.map(({ text, location }) => {
      if (location === null) return { file: null, place: null, text };
      return { file: location.file, place: { line: location.line, column: location.column + 1 }, text };
    });
    throw new BundleError(path, faults, { cause });
  }
}
