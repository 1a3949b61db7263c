/** Writes openapi.yaml from the routes of a real service; with `--check` it fails instead when the file is out of date. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { readConfig } from './config.ts';
import { startService } from './service.ts';

const path = new URL('../openapi.yaml', import.meta.url);
const dataDir = await mkdtemp(join(tmpdir(), 'holdback-openapi-'));
try {
  const service = await startService(
    readConfig({ HOLDBACK_PORT: '0', HOLDBACK_DATA_DIR: dataDir, HOLDBACK_POOL: '1' }),
  );
  const document = service.app.swagger();
  await service.close();
  const text = `# Made from the routes' schemas by \`npm run openapi\`. Do not edit.\n${stringify(document, { aliasDuplicateObjects: false })}`;
  if (!process.argv.includes('--check')) await writeFile(path, text);
  else if ((await readFile(path, 'utf8').catch(() => '')) !== text) {
    console.error('openapi.yaml is out of date: run `npm run openapi` and commit the result');
    process.exitCode = 1;
  }
} finally {
  await rm(dataDir, { recursive: true, force: true });
}
