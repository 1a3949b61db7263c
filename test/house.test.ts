/** What holds for the whole house: who may import whom, files that are made from others, and pages that tell the truth. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** All files of the repository, as git knows them; in a packed tree there is no git and no such test. */
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '');

const source = (file: string) => readFileSync(join(root, file), 'utf8');
const codeFiles = files.filter((file) => /\.ts$/.test(file) && !file.startsWith('test/corpus/'));

/** Each relative import of a file, as a path from the root. */
function importsOf(file: string): string[] {
  const pattern = /(?:from|import|require)\s*\(?\s*['"](\.\.?\/[^'"]+)['"]/g;
  return [...source(file).matchAll(pattern)].map(([, path = '']) => normalize(join(dirname(file), path)));
}

/** Which folders a folder may import from, or which files of them. Its own are always allowed. */
const mayImport: Record<string, RegExp[]> = {
  migrations: [],
  runners: [],
  // The answer key cannot reach a runner; of the runners, suites know what an observation is and how values are carried.
  suites: [
    /^migrations\//,
    /^runners\/protocol\.ts$/,
    /^runners\/realm\/(?:value|globals)\.ts$/,
    /^runners\/host\/outbox\.ts$/,
  ],
  gate: [/^suites\//, /^runners\//, /^migrations\//],
  server: [
    /^gate\//,
    /^suites\//,
    /^migrations\/(?:append-audit|embedded-client|errors|kept-answers|lock-directory|moments|open-database|rows-of|within)\.ts$/,
    /^migrations\/(?:restore-database|tables|journal\/backup-file)\.ts$/,
    /^runners\/protocol\.ts$/,
    /^runners\/walls\/(?:wall|find-walls)\.ts$/,
  ],
  cli: [
    // A suite is sealed where its author is, in the form that is opened here.
    /^suites\/suite\.ts$/,
    /^suites\/authoring\/(?:case-text|faults|finding|nearest|suite-check|suite-text)\.ts$/,
    /^suites\/sealing\/(?:identity-state|sealed-file)\.ts$/,
    /^suites\/leaks\/leaks\.ts$/,
    /^suites\/life\/life\.ts$/,
    /^suites\/expiry\.ts$/,
    // What an author's module imports from the package is bundled from here.
    /^suites\/authoring\/define-suite\.ts$/,
    /^gate\/(?:gate|visible-(?:report|tests)|audit\/audit-chain|strength\/strength)\.ts$/,
    /^gate\/disclosure\/(?:assurance|disclosed)\.ts$/,
    /^gate\/(?:activation\/preflight-report|incidents\/incident)\.ts$/,
    /^gate\/trends\/(?:trend|trend-csv)\.ts$/,
    /^runners\/protocol\.ts$/,
    // A backup is looked through where it arrives.
    /^migrations\/journal\/backup-file\.ts$/,
    /^server\/(?:restored|token)\.ts$/,
  ],
  examples: [/^suites\/authoring\/define-suite\.ts$/],
};

/** The files that construct every part: the processes for foreign code, and all else. */
const constructing = ['server/hosts.ts', 'server/service.ts'];

describe('the house', () => {
  test.each(Object.keys(mayImport))('%s/ imports only from where it may', (folder) => {
    const allowed = [new RegExp(`^${folder}/`), ...(mayImport[folder] ?? [])];
    const strays = codeFiles
      .filter((file) => file.startsWith(`${folder}/`) && !constructing.includes(file))
      .flatMap((file) => importsOf(file).map((path) => ({ file, path })))
      .filter(({ path }) => !allowed.some((pattern) => pattern.test(path)));
    expect(strays).toEqual([]);
  });

  test('no product code imports a test, a bench or an example', () => {
    const strays = codeFiles
      .filter((file) => /^(?:server|gate|suites|runners|migrations|cli)\//.test(file))
      .flatMap((file) => importsOf(file).map((path) => ({ file, path })))
      .filter(({ path }) => /^(?:test|bench|examples)\//.test(path));
    expect(strays).toEqual([]);
  });

  test('no file is in two folders of a cycle', () => {
    const seen = new Map<string, 'open' | 'done'>();
    const cycles: string[][] = [];
    const visit = (file: string, path: string[]) => {
      if (seen.get(file) === 'done') return;
      if (seen.get(file) === 'open') {
        cycles.push([...path.slice(path.indexOf(file)), file]);
        return;
      }
      seen.set(file, 'open');
      const next = codeFiles.includes(file) ? valueImportsOf(file) : [];
      for (const path_ of next) visit(path_, [...path, file]);
      seen.set(file, 'done');
    };
    for (const file of codeFiles) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test('every file opens with a sentence that says why it exists', () => {
    const silent = codeFiles.filter((file) => !/^(?:#!.*\n)?\/\*\*[\s\S]{30,}?\*\//.test(source(file)));
    expect(silent).toEqual([]);
  });

  test('no code silences the checker', () => {
    const silencers =
      /:\s*any\b|\bas any\b|<any>|as unknown as|@ts-(?:ignore|expect-error|nocheck)|biome-ignore/;
    const own = relative(root, fileURLToPath(import.meta.url));
    expect(codeFiles.filter((file) => file !== own && silencers.test(source(file)))).toEqual([]);
  });

  test('no file names a place outside the repository', () => {
    const registry = /registry\.(?:npmjs|yarnpkg)|npm\.pkg\.github/;
    const texts = files.filter(
      (file) => /\.(?:ts|md|json|yaml|sql)$/.test(file) && !file.startsWith('test/corpus/'),
    );
    const own = relative(root, fileURLToPath(import.meta.url));
    expect(texts.filter((file) => file !== own && registry.test(source(file)))).toEqual([]);
  });
});

describe('what is made from something else', () => {
  test('the SQL migrations say what tables.ts says: `npm run migrations` has nothing to add', async () => {
    const { generateDrizzleJson, generateMigration } = await import('drizzle-kit/api');
    const journal: { entries: { idx: number }[] } = JSON.parse(source('migrations/sql/meta/_journal.json'));
    const newest = journal.entries.at(-1)?.idx ?? 0;
    const snapshot = JSON.parse(source(`migrations/sql/meta/${`${newest}`.padStart(4, '0')}_snapshot.json`));
    const tables: Record<string, unknown> = await import('../migrations/tables.ts');
    expect(await generateMigration(snapshot, generateDrizzleJson(tables, snapshot.id))).toEqual([]);
  });
});

describe('the pages', () => {
  const scripts: Record<string, string> = JSON.parse(source('package.json')).scripts;

  test.each(['README.md', 'ARCHITECTURE.md', 'docs/writing-cases.md', 'docs/operating.md'])(
    '%s names only scripts and files that exist',
    (page) => {
      const text = source(page);
      const commands = [...text.matchAll(/npm run (?:-s )?(\w[\w-]*)/g)].map(([, name = '']) => name);
      expect(commands.filter((name) => scripts[name] === undefined)).toEqual([]);
      const paths = [
        ...text.matchAll(
          /`((?:server|gate|suites|runners|migrations|cli|test|bench|examples|docs)\/[\w./-]*)`/g,
        ),
      ]
        .map(([, path = '']) => path)
        .filter(
          (path) =>
            !files.some((file) => file === path || file.startsWith(path.endsWith('/') ? path : `${path}/`)),
        );
      expect(paths).toEqual([]);
    },
  );

  test("README shows the two commands, and CI runs the second's test command, the further tests, and then what takes long", () => {
    expect(source('README.md')).toContain('npm ci && npm run demo');
    expect(source('README.md')).toContain('npm ci && npm test');
    const lines = source('.ci/run')
      .split('\n')
      .filter((line) => /^ *npm /.test(line));
    expect(lines).toEqual([
      'npm ci',
      'npm run check',
      'npm test',
      'npm run test:further',
      '  npm run test:long',
    ]);
  });

  test('ARCHITECTURE.md fits on one page', () => {
    expect(source('ARCHITECTURE.md').split('\n').length).toBeLessThanOrEqual(110);
  });
});

/** Relative imports that exist at run time: `import type` is erased. */
function valueImportsOf(file: string): string[] {
  const pattern = /^(?:import|export)\s+(?!type\b)[^'";]*?from\s+['"](\.\.?\/[^'"]+)['"]/gm;
  return [...source(file).matchAll(pattern)].map(([, path = '']) => normalize(join(dirname(file), path)));
}
