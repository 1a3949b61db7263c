/** Reads what a pipeline's own tests said from their report, and counts it here, so that reports of any length can be told. */
import { type VisibleTests, visibleReportSchema } from '../gate/visible-report.ts';
import { countVisibleTests } from '../gate/visible-tests.ts';
import { readBytes } from './build.ts';
import { usageError } from './errors.ts';

const reportBytesMax = 64 << 20;

/** The counts of a report: JUnit XML, CTRF, or `{"passed": …, "total": …}`. Throws a usage error. */
export async function readVisibleTests(path: string): Promise<VisibleTests> {
  const bytes = await readBytes(path);
  if (bytes.length > reportBytesMax) {
    throw usageError(`${path} has ${bytes.length} bytes; a report has at most ${reportBytesMax}`);
  }
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trim();
  try {
    if (text.startsWith('<')) return countVisibleTests({ junit: text });
    const json: unknown = JSON.parse(text);
    const isCtrf = typeof json === 'object' && json !== null && 'results' in json;
    return countVisibleTests(visibleReportSchema.parse(isCtrf ? { ctrf: json } : json));
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? `: ${cause.message}` : '';
    throw usageError(`${path} is neither JUnit XML, nor a CTRF report, nor {"passed": …, "total": …}${why}`, {
      cause,
    });
  }
}
