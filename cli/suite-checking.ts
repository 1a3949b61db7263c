/** Has the service check a suite before it is pushed: it reads modules and compares with what is active, which no file can. */
import { type SuiteCheck, suiteCheckSchema } from '../suites/authoring/suite-check.ts';
import type { Client } from './client.ts';
import { withProgress } from './progress.ts';
import { type Findings, SuiteRefused } from './suite-refused.ts';
import { nameOfFile, placeAll, type SuiteSourceFile } from './suite-source.ts';

/** A check, and what was found at its places in the file. */
export type Checked = { suite: string; check: SuiteCheck; findings: Findings };

/** Checks what would be pushed as a suite; with `changes` it is compared with the active revision. Throws CommandError. */
export async function checkAs(
  client: Client,
  suite: string,
  source: SuiteSourceFile,
  { changes }: { changes: boolean },
): Promise<Checked> {
  const asking = client.ask(
    {
      method: 'POST',
      path: ['suites', suite, 'check'],
      query: { changes: String(changes) },
      body: { type: 'application/json', content: source.text },
    },
    suiteCheckSchema.loose(),
  );
  const check = await withProgress(`checking ${source.path}`, asking);
  return { suite, check, findings: placeAll(source, check.findings, check.more) };
}

/** As `checkAs`, under the name that the suite calls itself, or else one that its file suggests. Compares with nothing. */
export async function checkAsItself(client: Client, source: SuiteSourceFile): Promise<Checked> {
  const guess = source.form === 'cases' && source.name !== undefined ? source.name : nameOfFile(source.path);
  const checked = await checkAs(client, guess, source, { changes: false });
  const { name } = checked.check;
  return name === null || name === guess ? checked : checkAs(client, name, source, { changes: false });
}

/** Throws a SuiteRefused where something was found. */
export function requireSound({ path }: SuiteSourceFile, { findings }: Checked): void {
  if (findings.told.length > 0) throw new SuiteRefused(path, findings);
}
