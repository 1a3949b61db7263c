/**
 * The process that makes mutants: it hears the text of a build on standard input and answers with the instrumented text and
 * the list of its mutants. It parses the text and never runs it. `instrumenter.ts` starts it, and bounds what it may take.
 */
import { text } from 'node:stream/consumers';
import { Instrumenter } from '@stryker-mutator/instrumenter';
import type { Instrumented } from './mutant.ts';
import { ownRanges } from './own-ranges.ts';

const never = () => false;
const ignore = () => {};
const silent = {
  isTraceEnabled: never,
  isDebugEnabled: never,
  isInfoEnabled: never,
  isWarnEnabled: never,
  isErrorEnabled: never,
  isFatalEnabled: never,
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  fatal: ignore,
};

/** JavaScript is read as JavaScript; only what is none is read as TypeScript, as candidates are. */
async function instrument(source: string): Promise<Instrumented> {
  try {
    return await instrumentAs('build.js', source);
  } catch (error) {
    return instrumentAs('build.ts', source).catch(() => ({ ok: false as const, detail: firstLine(error) }));
  }
}

async function instrumentAs(name: string, content: string): Promise<Instrumented> {
  const instrumenter = new Instrumenter(silent);
  const { files, mutants } = await instrumenter.instrument([{ name, content, mutate: ownRanges(content) }], {
    // What candidates may be written in besides the language itself.
    plugins: ['decorators'],
    ignorers: [],
    excludedMutations: [],
    // The switches that it would put there are ours: see `switches.ts`.
    noHeader: true,
  });
  return {
    ok: true,
    text: files[0]?.content ?? '',
    mutants: mutants
      .filter(({ status }) => status !== 'Ignored')
      .map(({ id, mutatorName, location: { start, end }, replacement }) => ({
        id,
        mutator: mutatorName,
        start: { line: start.line, column: start.column },
        end: { line: end.line, column: end.column },
        replacement,
      })),
  };
}

function firstLine(error: unknown): string {
  const [line = ''] = (error instanceof Error ? error.message : `${error}`).split('\n');
  // Babel puts the path before what it says.
  return line.replace(/^\S*build\.js: /, '').slice(0, 500);
}

process.stdout.end(JSON.stringify(await instrument(await text(process.stdin))));
