/**
 * How a script for realms is bundled. Such a script runs anew in thousands of realms a second, and esbuild's
 * wrapper of every module costs a little each time: core-js alone has two hundred. So each file that is required
 * rather than imported is bundled by itself into one function, which does nothing until it is called.
 */
import { dirname, extname, join, resolve } from 'node:path';
import type { BuildOptions, Plugin } from 'esbuild';

/** `.ts` in a clone, `.js` in the published package, where the ids of `require` still say `.ts`. */
const extension = extname(import.meta.url);

const shape: BuildOptions = {
  bundle: true,
  // Not for size: with names kept, the wrapper of each module costs twice the time.
  minify: true,
  write: false,
  format: 'cjs',
  target: 'node26',
  // Not `browser`: there @exodus/bytes takes a native TextEncoder for granted, and a realm has none.
  platform: 'neutral',
  mainFields: ['module', 'main'],
  // @sinonjs/fake-timers asks for these only where it finds `process` or `require`; a realm has neither.
  external: ['util', 'timers', 'timers/promises', 'perf_hooks'],
  logLevel: 'silent',
};

const oneFunctionPerRequire = (inputs: Set<string>): Plugin => ({
  name: 'one function per require',
  setup(build) {
    build.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ kind, path, resolveDir }) => {
      if (kind !== 'require-call') return undefined;
      return { path: join(resolveDir, path.replace(/\.ts$/, extension)), namespace: 'function' };
    });
    build.onLoad({ filter: /.*/, namespace: 'function' }, async ({ path }) => {
      const { outputFiles, warnings, metafile } = await build.esbuild.build({
        ...shape,
        write: false,
        metafile: true,
        entryPoints: [path],
      });
      for (const input of Object.keys(metafile.inputs)) inputs.add(resolve(input));
      return { contents: outputFiles[0]?.text ?? '', loader: 'js', resolveDir: dirname(path), warnings };
    });
  },
});

/**
 * Options for esbuild's `build`; add the entry point. Files that are bundled into functions of their own are added to `inputs`, because
 * esbuild does not tell of them. The result is strict CommonJS text, to be run inside a
 * function that gives it `module` and `exports`: at the top of a script its variables would become globals.
 */
export function realmBundle(inputs: Set<string> = new Set()): BuildOptions & { write: false } {
  return { ...shape, write: false, plugins: [oneFunctionPerRequire(inputs)] };
}
