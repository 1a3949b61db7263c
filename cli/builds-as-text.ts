/**
 * What `import right from 'build:./right.ts'` means in a suite's module: the file is bundled as the entry of a candidate is, and the
 * import is the bundle's text. So a suite holds the very bytes that would be scored.
 */
import { dirname, relative, resolve } from 'node:path';
import type { PartialMessage, Plugin } from 'esbuild';
import { readBuild } from './build.ts';
import { BundleError } from './bundle.ts';
import { CommandError } from './errors.ts';

const namespace = 'build';

export const buildsAsText: Plugin = {
  name: 'builds as text',
  setup(build) {
    build.onResolve({ filter: /^build:/ }, async ({ path, resolveDir, kind, importer }) => {
      const found = await build.resolve(path.slice('build:'.length), { resolveDir, kind, importer });
      if (found.errors.length > 0) return { errors: found.errors };
      // esbuild writes this path into a comment: it must not tell where the suite lies.
      const folder = build.initialOptions.absWorkingDir ?? resolveDir;
      return { path: relative(folder, found.path), namespace, pluginData: found.path };
    });
    build.onLoad({ filter: /.*/, namespace }, async ({ pluginData }) => {
      const entry = String(pluginData);
      const folder = build.initialOptions.absWorkingDir ?? dirname(entry);
      try {
        const { bytes } = await readBuild({ entry });
        return { contents: bytes, loader: 'text', watchFiles: [entry] };
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        return { errors: messagesOf(error, entry, folder) };
      }
    });
  },
};

/** What is wrong with a build, where it is wrong. */
function messagesOf(error: CommandError, entry: string, folder: string): PartialMessage[] {
  if (!(error instanceof BundleError)) return [{ text: error.message }];
  return error.faults.map(({ file, place, text }) => ({
    text,
    location:
      file === null || place === null
        ? null
        : {
            file: relative(folder, resolve(dirname(entry), file)),
            line: place.line,
            column: place.column - 1,
          },
  }));
}
