/** `holdback incident …`: a bug that got past a gate is recorded, becomes a case, and that is proven before it counts. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import {
  type Escapes,
  escapesSchema,
  incidentCaseRequestSchema,
  incidentRequestSchema,
  incidentSchema,
} from '../../gate/incidents/incident.ts';
import { readBy } from '../../suites/authoring/faults.ts';
import { faultFindings, tellFinding } from '../../suites/authoring/finding.ts';
import type { Arguments } from '../arguments.ts';
import { readBuild } from '../build.ts';
import { readGate } from '../change.ts';
import { type Client, connect, json } from '../client.ts';
import type { Command, Flag } from '../command.ts';
import { usageError } from '../errors.ts';
import { withProgress } from '../progress.ts';
import { upload } from '../scoring.ts';
import { readSuiteName } from './suite.ts';

const answerSchema = incidentSchema.loose();
const buckets: readonly string[] = ['day', 'week', 'month'] satisfies Escapes['bucket'][];

const caseFlags: Record<string, Flag> = {
  input: { value: 'JSON', about: 'With what it shows: JSON, or a file that holds it.' },
  expect: { value: 'JSON', about: 'What should have come of it, as \'{"equals": 5}\': JSON, or a file.' },
  name: { value: 'NAME', about: 'What the case is called.' },
  call: { value: 'EXPORT', about: 'Which export is called (run).' },
  suite: { value: 'NAME', about: 'The suite that it goes to; needed where the gate has several.' },
};

export const incidentCreateCommand: Command = {
  words: 'incident create',
  about: 'Record a bug that got past a gate, against the score that let it, and draft a case from it.',
  positionals: [],
  flags: {
    gate: { value: 'NAME', about: 'The gate that it got past.' },
    score: { value: 'ID', about: 'The score that let it merge, or else:' },
    change: { value: 'ID', about: 'the change that it merged with, and' },
    commit: { value: 'SHA', about: 'its commit.' },
    repository: { value: 'NAME', about: 'The repository of the change.' },
    title: { value: 'TEXT', about: 'What went wrong, in a line. It names the case as well.' },
    details: { value: 'TEXT', about: 'What is known of it.' },
    ...caseFlags,
  },
  notes: [
    'With --input and --expect a case is drafted; `holdback incident prove` shows that it would have caught the bug.',
    'Example: holdback incident create --gate checkout --change 17 --commit 3f2a1c9 --title "free shipping at 49.99" \\',
    '           --input order.json --expect \'{"matches": {"shipping": "paid"}}\'',
  ],
  async run(given) {
    const title = given.required('title');
    const asked = {
      gate: readGate(given),
      score: given.text('score'),
      change: changeOf(given),
      title,
      details: given.text('details'),
      draft: await readDraft(given, title),
    };
    const request = readBy(incidentRequestSchema, asked);
    if (request.ok) return incidentOf(given, ['incidents'], request.value);
    throw given.wrong(request.faults.map(({ path, detail }) => [...path, detail].join(': ')).join('; '));
  },
};

export const incidentDraftCommand: Command = {
  words: 'incident draft',
  about: 'Draft a case from an incident that was recorded, or another where the first proved nothing.',
  positionals: [{ name: 'ID', about: 'The id of the incident.' }],
  flags: caseFlags,
  async run(given) {
    const id = given.requiredPositional(0);
    const draft = await readDraft(given, given.required('name'));
    if (draft === undefined) throw given.wrong('--input and --expect are missing');
    return incidentOf(given, ['incidents', id, 'case'], draft);
  },
};

export const incidentProveCommand: Command = {
  words: 'incident prove',
  about: "Show that an incident's case fails on the build that escaped, and passes on one that mends it.",
  positionals: [{ name: 'ID', about: 'The id of the incident.' }],
  flags: {
    fix: {
      value: 'MODULE',
      about:
        'The module that mends it, bundled with what it imports; or sha256:… of a build that was scored.',
    },
  },
  notes: ['Exit codes: 0 proven, 1 not proven, 2 usage, 3 the service could not be had.'],
  async run(given) {
    const id = given.requiredPositional(0);
    const fix = given.required('fix');
    const client = connect(given.environment);
    const digest = /^sha256:[0-9a-f]{64}$/.test(fix) ? fix : (await uploadFix(client, fix)).digest;
    const path = ['incidents', id, 'proof'];
    const asking = client.ask(
      { method: 'POST', path, body: json({ fix: { digest } }), waitMs: proofMsMax },
      answerSchema,
    );
    return { kind: 'proved', incident: await withProgress('running the case on both builds', asking) };
  },
};

/** A case may take so long on two builds, in milliseconds. */
const proofMsMax = 300_000;

export const incidentListCommand: Command = {
  words: 'incident list',
  about: 'List the incidents, newest first.',
  positionals: [],
  flags: { gate: { value: 'NAME', about: 'Those of this gate alone.' } },
  async run(given) {
    const gate = given.text('gate');
    const query: Record<string, string> = gate === undefined ? {} : { gate };
    const schema = z.object({ incidents: z.array(answerSchema) });
    return {
      kind: 'incidents',
      ...(await connect(given.environment).ask({ method: 'GET', path: ['incidents'], query }, schema)),
    };
  },
};

export const incidentShowCommand: Command = {
  words: 'incident show',
  about: 'Show an incident, its case and its proofs.',
  positionals: [{ name: 'ID', about: 'The id of the incident.' }],
  flags: {},
  async run(given) {
    const path = ['incidents', given.requiredPositional(0)];
    return {
      kind: 'incident',
      incident: await connect(given.environment).ask({ method: 'GET', path }, answerSchema),
    };
  },
};

export const gateEscapesCommand: Command = {
  words: 'gate escapes',
  about: 'Show how many bugs are known to have got past a gate, and out of how many merges.',
  positionals: [{ name: 'NAME', about: 'The gate.' }],
  flags: {
    bucket: { value: 'SPAN', about: `Counted by ${buckets.join(', ')} (week).` },
    from: { value: 'TIME', about: 'From this instant on, as 2026-01-01T00:00:00Z (90 days ago).' },
    to: { value: 'TIME', about: 'Before this instant (now).' },
  },
  async run(given) {
    const path = ['gates', given.requiredPositional(0), 'escapes'];
    const bucket = given.text('bucket');
    if (bucket !== undefined && !buckets.includes(bucket))
      throw given.wrong(`--bucket: ${buckets.join(', ')}, not ${bucket}`);
    const query = Object.fromEntries(
      ['bucket', 'from', 'to'].flatMap((flag) => {
        const text = given.text(flag);
        return text === undefined ? [] : [[flag, text]];
      }),
    );
    return {
      kind: 'escapes',
      escapes: await connect(given.environment).ask({ method: 'GET', path, query }, escapesSchema.loose()),
    };
  },
};

async function incidentOf(given: Arguments, path: string[], body: object) {
  const incident = await connect(given.environment).ask(
    { method: 'POST', path, body: json(body) },
    answerSchema,
  );
  return { kind: 'incident' as const, incident };
}

/** Bundles the module that mends it, and uploads the bundle. Throws CommandError. */
async function uploadFix(client: Client, entry: string) {
  const build = await readBuild({ entry });
  await upload(client, build);
  return build;
}

/** The change that it merged with, unless its score was given. Throws a usage error where it is neither, or both. */
function changeOf(given: Arguments): object | undefined {
  const [id, commit, repository] = [given.text('change'), given.text('commit'), given.text('repository')];
  if (
    (id === undefined) === (given.text('score') === undefined) ||
    (id === undefined) !== (commit === undefined)
  )
    throw given.wrong('say which merge it was: give either --score, or --change and --commit');
  if (id === undefined) return undefined;
  return { id, commit, ...(repository === undefined ? {} : { repository }) };
}

/** The case that was described, or undefined where none was. Throws a usage error. */
async function readDraft(given: Arguments, called: string) {
  const [input, expect] = [given.text('input'), given.text('expect')];
  if (input === undefined && expect === undefined) return undefined;
  if (expect === undefined) throw given.wrong('--expect is missing: say what should have come of the input');
  const call = given.text('call');
  const testCase = {
    name: given.text('name') ?? called,
    ...(input === undefined ? {} : { input: await readJson('--input', input) }),
    expect: await readJson('--expect', expect),
    ...(call === undefined ? {} : { call }),
  };
  const suite = given.text('suite');
  return {
    ...(suite === undefined ? {} : { suite: readSuiteName(given, '--suite', suite) }),
    case: readCase(given, testCase),
  };
}

/** A case, as it is read from a suite. Throws a usage error that tells all that is wrong with it as it is told of a suite's cases. */
function readCase(given: Arguments, testCase: { name: string }) {
  const read = readBy(incidentCaseRequestSchema.shape.case, testCase);
  if (read.ok) return read.value;
  const faults = read.faults.map(({ path, detail }) => ({ path: ['cases', 0, ...path], detail }));
  const findings = faultFindings(faults, () => testCase.name);
  throw given.wrong(findings.map(tellFinding).join('; '));
}

/** JSON as it was given, or a file's. Throws a usage error. */
async function readJson(flag: string, text: string): Promise<unknown> {
  const parse = (json: string): unknown => JSON.parse(json);
  try {
    return parse(text);
  } catch {
    // Then it is a file.
  }
  const content = await readFile(text, 'utf8').catch((cause: unknown) => {
    throw usageError(`${flag}: ${text} is neither JSON nor a file that can be read`, { cause });
  });
  try {
    return parse(content);
  } catch (cause) {
    throw usageError(`${flag}: ${text} does not hold JSON`, { cause });
  }
}
