/**
 * The references of a suite in JSON or YAML, which name their builds by `file`: each is bundled as the entry of a candidate is, and
 * its text takes the place of the file's name. The service knows no files.
 */
import { dirname, resolve } from 'node:path';
import { type Finding, suiteFinding } from '../suites/authoring/finding.ts';
import { readBuild } from './build.ts';
import { CommandError } from './errors.ts';

/** The references of a suite's value with builds in place of files, if any names a file, and what is wrong with those. */
export async function bundleReferences(
  path: string,
  value: unknown,
): Promise<{ references: unknown[] | undefined; findings: Finding[] }> {
  const given = typeof value === 'object' && value !== null ? Reflect.get(value, 'references') : undefined;
  if (!Array.isArray(given) || !given.some(hasFile)) return { references: undefined, findings: [] };
  const findings: Finding[] = [];
  const references: unknown[] = [];
  for (const [position, reference] of given.entries()) {
    if (!hasFile(reference)) references.push(reference);
    else {
      const { file, ...rest } = reference;
      const read = await readReference(path, file, 'build' in reference);
      references.push({ ...rest, build: read.build });
      if (read.fault !== '') findings.push(suiteFinding(['references', position, 'file'], read.fault));
    }
  }
  return { references, findings };
}

function hasFile(reference: unknown): reference is { file: unknown } {
  return typeof reference === 'object' && reference !== null && Object.hasOwn(reference, 'file');
}

/** Where there is a fault, a build is answered all the same, so that its lack is not told as well. */
async function readReference(
  path: string,
  file: unknown,
  hasBuild: boolean,
): Promise<{ build: string; fault: string }> {
  if (hasBuild) return { build: '?', fault: 'a reference has either a build or a file' };
  if (typeof file !== 'string') return { build: '?', fault: 'must be a string' };
  try {
    const { bytes } = await readBuild({ entry: resolve(dirname(path), file) });
    return { build: new TextDecoder().decode(bytes), fault: '' };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { build: '?', fault: error.message };
  }
}
