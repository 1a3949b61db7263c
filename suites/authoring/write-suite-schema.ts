/** Writes suite.schema.json from the schemas; with `--check` it fails instead when the file is out of date. */
import { readFile, writeFile } from 'node:fs/promises';
import { suiteFileSchemaText } from './suite-file-schema.ts';

const path = new URL('suite.schema.json', import.meta.url);
const text = suiteFileSchemaText();
if (!process.argv.includes('--check')) await writeFile(path, text);
else if ((await readFile(path, 'utf8').catch(() => '')) !== text) {
  console.error(
    'suites/authoring/suite.schema.json is out of date: run `npm run openapi` and commit the result',
  );
  process.exitCode = 1;
}
