/**
 * Makes the code that hosts load: plain JavaScript, bundled once and small, in a folder of its own,
 * which is all that a host may read.
 */
import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, version } from 'esbuild';
import { RunnerError } from './errors.ts';
import { isNoexec } from './is-noexec.ts';
import { keptBundle } from './kept-bundles.ts';
import { madeOnce } from './made-once.ts';
import { realmBundle } from './realm/globals/bundle.ts';

const require = createRequire(import.meta.url);
const here = dirname(fileURLToPath(import.meta.url));
/** `.ts` in a clone, `.js` in the published package. */
const extension = extname(import.meta.url);

export type HostCode = {
  folder: string;
  /** Changes with whatever runs there: our code, what it is bundled with, isolated-vm and Node. */
  version: string;
  remove(): Promise<void>;
};

const plain: BuildOptions = {
  bundle: true,
  format: 'cjs',
  target: 'node26',
  write: false,
  logLevel: 'silent',
  // Paths in comments are written from here, so that the same code is the same text wherever the service is started.
  absWorkingDir: here,
};

/** How the names of hosts' folders begin, among temporary files. */
export const hostFolderPrefix = 'holdback-host-';

/** The texts of a host's files. */
type Bundles = { main: string; worker: string; threadCode: string };

/** What was bundled before, by what it was made from: the code does not change while a process runs it. */
const bundled = new Map<string, () => Promise<Bundles>>();

/**
 * The code of hosts with the given task, for example `runners/host/candidate-task.ts`. `realms` are the modules whose
 * bundled text the task puts into realms, by the name under which it declares them. Throws `unsupported_system` where hosts could not
 * load it.
 */
export async function bundleHost(task: URL, realms: Record<string, URL>): Promise<HostCode> {
  await requireExec();
  const isolatedVm = dirname(require.resolve('isolated-vm/package.json'));
  const addon: string = createRequire(join(isolatedVm, 'package.json'))('node-gyp-build').path(isolatedVm);
  const key = JSON.stringify([task, realms]);
  const bundleOnce = bundled.get(key) ?? madeOnce(() => bundle(task, realms));
  bundled.set(key, bundleOnce);
  const bundles = await bundleOnce();
  const { main, worker, threadCode } = bundles;
  const folder = await writeHost(bundles, addon).catch(refuseFolder);
  const hash = createHash('sha256');
  for (const part of [process.version, process.arch, main, worker, threadCode, await readFile(addon)])
    hash.update(part);
  return {
    folder,
    version: hash.digest('hex'),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function writeHost({ main, worker, threadCode }: Bundles, addon: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), hostFolderPrefix));
  try {
    await Promise.all([
      writeFile(join(folder, 'main.cjs'), main),
      writeFile(join(folder, 'worker.js'), worker),
      writeFile(join(folder, 'thread.cjs'), threadCode),
      writeFile(join(folder, 'package.json'), '{"type":"commonjs"}'),
      writeFile(join(folder, 'isolated-vm.cjs'), "module.exports = require('./isolated-vm.node').ivm;"),
      copyFile(addon, join(folder, 'isolated-vm.node')),
    ]);
    // Hosts may be another user, and what they run is no secret.
    await chmod(folder, 0o755);
    return folder;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function refuseFolder(cause: unknown): never {
  throw new RunnerError(
    'unsupported_system',
    `runner hosts load their code from ${tmpdir()}, where it cannot be put (${cause instanceof Error ? cause.message : cause}): mend that, or set TMPDIR to another folder`,
    { cause },
  );
}

async function requireExec(): Promise<void> {
  const [path, mounts] = await Promise.all([
    realpath(tmpdir()).catch(refuseFolder),
    readFile('/proc/self/mountinfo', 'utf8').catch(() => ''),
  ]);
  if (isNoexec(path, mounts))
    throw new RunnerError(
      'unsupported_system',
      `runner hosts load their code from ${path}, which is mounted noexec: mount it without that, or set TMPDIR to another folder`,
    );
}

async function bundle(task: URL, realms: Record<string, URL>): Promise<Bundles> {
  const define = Object.fromEntries(
    await Promise.all(
      Object.entries(realms).map(async ([name, realm]) => [name, JSON.stringify(await bundleRealm(realm))]),
    ),
  );
  // Piscina asks for @napi-rs/nice only when threads are given another priority.
  const node: BuildOptions = { ...plain, platform: 'node', external: ['@napi-rs/nice', './isolated-vm.cjs'] };
  const [main, worker, threadCode] = await Promise.all([
    text({ ...node, entryPoints: [join(here, `host/main${extension}`)] }),
    // Piscina looks for its worker's code beside its own.
    text({ ...node, entryPoints: [join(dirname(require.resolve('piscina')), 'worker.js')] }),
    text({
      ...node,
      entryPoints: [join(here, `host/thread${extension}`)],
      alias: { '#task': fileURLToPath(task), 'isolated-vm': './isolated-vm.cjs' },
      define,
    }),
  ]);
  return { main, worker, threadCode };
}

/** The code of the nursery, see there. */
export function bundleNursery(): Promise<string> {
  return text({ ...plain, platform: 'node', entryPoints: [join(here, `nursery/main${extension}`)] });
}

/** A realm's module as one JavaScript expression whose value is what the module exports. */
export async function bundleRealm(realm: URL): Promise<string> {
  const within = new Set<string>();
  const options = { ...realmBundle(within), entryPoints: [fileURLToPath(realm)], minify: true };
  const code = await text(options, within);
  return `((module) => { 'use strict'; const { exports } = module; ${code}; return module.exports; })({ exports: {} })`;
}

/** What a build made of its files; `within` are those that a plugin of it bundled by itself. */
async function text(options: BuildOptions, within: Set<string> = new Set()): Promise<string> {
  const name = JSON.stringify([options.entryPoints, options.alias]);
  const { plugins, ...plain } = options;
  const way = JSON.stringify([version, plain, plugins?.map(({ name }) => name)]);
  return keptBundle(name, way, async () => {
    const { outputFiles, metafile } = await build({ ...options, metafile: true });
    const file = outputFiles?.[0];
    if (file === undefined || metafile === undefined) throw new Error('esbuild gave no output');
    const folder = options.absWorkingDir ?? process.cwd();
    // Those of a plugin have its name before their path.
    const own = Object.keys(metafile.inputs).filter((path) => !/^[\w ]{2,}:/.test(path));
    return { text: file.text, inputs: [...own.map((path) => resolve(folder, path)), ...within] };
  });
}
