/** The published package: packed, installed into an empty folder as its users do, and run there by the machine's own Node. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { copyTemplate } from '../template-database.ts';

const run = promisify(execFile);
const project = fileURLToPath(new URL('../..', import.meta.url));
const descriptionSchema = z.object({ version: z.string(), devDependencies: z.object({ node: z.string() }) });

let folder: string;
let description: z.infer<typeof descriptionSchema>;

/** The environment of a user's shell: without this project's own Node, and without what npm tells its scripts. */
const environment = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(package|lifecycle)_|NODE_OPTIONS$|HOLDBACK_)/i.test(name),
    ),
  ),
  PATH: (process.env.PATH ?? '')
    .split(delimiter)
    .filter((path) => !path.includes(`${sep}node_modules${sep}.bin`))
    .join(delimiter),
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdback-packed-'));
  description = descriptionSchema.parse(JSON.parse(await readFile(join(project, 'package.json'), 'utf8')));
  // The build needs this project's Node; what is installed afterwards must do without it.
  await run('npm', ['pack', '--pack-destination', folder], { cwd: project });
  const [packed] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  await mkdir(join(folder, 'user'));
  await writeFile(
    join(folder, 'user/package.json'),
    JSON.stringify({
      private: true,
      allowScripts: { node: true, 'isolated-vm': true, esbuild: true },
      dependencies: { holdback: `file:../${packed}`, node: description.devDependencies.node },
    }),
  );
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...quiet], { cwd: join(folder, 'user'), env: environment });
}, 300_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
}, 60_000);

/** Runs the installed command. A failure's message holds what it printed. */
function holdback(...flags: string[]) {
  const user = join(folder, 'user');
  return run(join(user, 'node_modules/.bin/holdback'), flags, { cwd: user, env: environment });
}

it('holdback --help and --version answer from an installed package', async () => {
  const [help, version] = await Promise.all([holdback('--help'), holdback('--version')]);
  expect(help.stdout).toContain('Usage: holdback COMMAND');
  expect(version.stdout).toBe(`${description.version}\n`);
}, 60_000);

it('holdback demo runs from an installed package, and every verdict is as it should be', async () => {
  const { stdout } = await holdback('demo', '--json');
  const report = z
    .object({
      asExpected: z.boolean(),
      verdicts: z.array(z.object({ seen: z.object({ ci: z.object({ verdict: z.string() }) }) })),
    })
    .parse(JSON.parse(stdout));
  expect(report.asExpected).toBe(true);
  expect(report.verdicts.map(({ seen }) => seen.ci.verdict)).toEqual(['block', 'merge', 'block', 'merge']);
}, 120_000);

it('the pages are served from an installed package, with their style and scripts', async () => {
  const user = join(folder, 'user');
  const data = join(folder, 'data');
  await mkdir(data);
  await copyTemplate(data);
  const flags = ['serve', '--port', '0', '--data-dir', data, '--json'];
  const service = spawn(join(user, 'node_modules/.bin/holdback'), flags, { cwd: user, env: environment });
  try {
    const [printed] = await once(service.stdout, 'data');
    const { url } = z.object({ url: z.string() }).parse(JSON.parse(`${printed}`));
    const page = await (await fetch(`${url}/ui/sign-in`)).text();
    expect(page).toContain('<h1>Sign in</h1>');
    const assets = [...page.matchAll(/(?:href|src)="(\/ui\/assets\/[^"]+)"/g)].map(([, path]) => path);
    expect(assets.length).toBeGreaterThan(1);
    for (const path of assets) expect((await fetch(`${url}${path}`)).status).toBe(200);
  } finally {
    service.kill('SIGTERM');
    await once(service, 'close');
  }
}, 60_000);

it('defineSuite is typed and bundles in an installed package, in every suite that names it', async () => {
  const user = join(folder, 'user');
  await writeFile(join(user, 'right.ts'), 'export const run = (n: number) => String(n);');
  const suite = (equals: string) => `import { defineSuite } from 'holdback';
    import right from 'build:./right.ts';
    export default defineSuite<number, string>({
      name: 'packed',
      references: [{ name: 'right', build: right, verdict: 'merge' }],
      cases: [{ name: 'one', input: 1, expect: { equals: ${equals} } }, { name: 'two', input: 2, expect: (o) => o.at(0) === '2' }],
    });`;
  await writeFile(join(user, 'right.suite.ts'), suite("'1'"));
  await writeFile(join(user, 'wrong.suite.ts'), suite('1'));
  const tsc = join(project, 'node_modules/.bin/tsc');
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'esnext', '--types', ''];
  // Both at once, because most of what it takes is reading the package's types.
  const told = await run(tsc, [...flags, 'right.suite.ts', 'wrong.suite.ts'], { cwd: user }).then(
    () => '',
    (error: unknown) => `${Reflect.get(Object(error), 'stdout')}`,
  );
  const faults = told.split('\n').filter((line) => /^\S/.test(line));
  expect(faults.length).toBeGreaterThan(0);
  for (const fault of faults)
    expect(fault).toMatch(/^wrong\.suite\.ts.*Type 'number' is not assignable to type 'string'/);
  // As any bundler finds it, and as the command does, which alone knows what a build is.
  const { outputFiles } = await build({
    entryPoints: [join(user, 'right.suite.ts')],
    bundle: true,
    format: 'esm',
    external: ['build:*'],
    write: false,
  });
  expect(outputFiles[0]?.text).toContain('return suite');
  const { stdout } = await holdback('suite', 'check', '--offline', 'right.suite.ts');
  expect(stdout).toBe('right.suite.ts: a module that bundles\n');
}, 60_000);

it('the package holds no tests', async () => {
  const files = await readdir(join(folder, 'user/node_modules/holdback'), { recursive: true });
  expect(files).toEqual(
    expect.arrayContaining([
      'dist/cli/bin.js',
      'dist/migrations/sql/meta/_journal.json',
      'suites/authoring/suite.schema.json',
      'docs/values.md',
    ]),
  );
  expect(files.filter((name) => !name.startsWith('node_modules') && /\.test\./.test(name))).toEqual([]);
});

it('the service starts as another user, who may write nothing but its data and temporary files, as in a container', async () => {
  // Only root can be somebody else; anybody else has no other to be.
  const isRoot = process.getuid?.() === 0;
  const somebody = isRoot ? { uid: 10_001, gid: 10_001 } : {};
  const user = join(folder, 'user');
  const writable = join(folder, 'writable');
  await mkdir(join(writable, 'tmp'), { recursive: true });
  await mkdir(join(writable, 'data'));
  await chmod(folder, 0o755);
  for (const path of [writable, join(writable, 'tmp'), join(writable, 'data')])
    if (isRoot) await chown(path, 10_001, 10_001);
  const node = join(user, 'node_modules/node/bin/node');
  const service = spawn(node, ['node_modules/holdback/dist/server/main.js'], {
    cwd: user,
    ...somebody,
    env: {
      NODE_ENV: 'production',
      HOLDBACK_PORT: '0',
      HOLDBACK_DATA_DIR: join(writable, 'data'),
      TMPDIR: join(writable, 'tmp'),
    },
  });
  try {
    let printed = '';
    service.stdout.on('data', (chunk) => {
      printed += `${chunk}`;
    });
    service.stderr.on('data', (chunk) => {
      printed += `${chunk}`;
    });
    await expect.poll(() => printed).toMatch(/Holdback listens on \S+\n|could not start/);
    const [, address] = /Holdback listens on (\S+)\n/.exec(printed) ?? [];
    expect(address, printed).toBeDefined();
    const ready = await (await fetch(`${address}/readyz`)).json();
    expect(ready).toMatchObject({ status: 'ready', containment: 'holds' });
  } finally {
    service.kill('SIGTERM');
    await once(service, 'close');
  }
}, 120_000);
