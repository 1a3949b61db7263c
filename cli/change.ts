/** The change that a command is about: what the user says, else what the pipeline and git know. Nothing is made up. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Change, changeSchema } from '../gate/gate.ts';
import { slugSchema } from '../suites/suite.ts';
import type { Arguments } from './arguments.ts';
import type { Flag } from './command.ts';

const run = promisify(execFile);

/** Which gate, and which commit of which change. */
export const questionFlags = {
  gate: { value: 'NAME', about: 'The gate to ask.' },
  change: {
    value: 'ID',
    about: 'The change, e.g. the pull request. A GitHub or GitLab pipeline of one knows it.',
  },
  commit: { value: 'SHA', about: 'The commit that the build was made from (git rev-parse HEAD).' },
} satisfies Record<string, Flag>;

/** Who changed what; all of them are optional. */
export const changeFlags = {
  repository: { value: 'NAME', about: 'Where the change is to be merged.' },
  author: { value: 'NAME', about: 'Who made the change.' },
  agent: { value: 'NAME', about: 'The coding agent that made it.' },
  model: { value: 'NAME', about: 'The model that the agent used.' },
} satisfies Record<string, Flag>;

/** The gate that was named. Throws a usage error. */
export function readGate(given: Arguments): string {
  const gate = slugSchema.safeParse(given.required('gate'));
  if (gate.success) return gate.data;
  throw given.wrong(`--gate: ${gate.error.issues[0]?.message}`);
}

/** The change that was described. Throws a usage error. */
export async function readChange(given: Arguments): Promise<Change> {
  const { environment } = given;
  const id = given.text('change') ?? changeOfPipeline(environment);
  if (id === undefined)
    throw given.wrong('--change is missing: give the pull request or another name of the change');
  const optional = Object.keys(changeFlags).flatMap((flag) => {
    const text = given.text(flag) ?? (flag === 'repository' ? repositoryOfPipeline(environment) : undefined);
    return text === undefined ? [] : [[flag, text]];
  });
  const commit = given.text('commit') ?? (await commitOfGit(given));
  const change = changeSchema.safeParse({ id, commit, ...Object.fromEntries(optional) });
  if (change.success) return change.data;
  const [issue] = change.error.issues;
  const field = issue?.path[0] === 'id' ? 'change' : issue?.path.join('.');
  throw given.wrong(`--${field}: ${issue?.message}`);
}

function changeOfPipeline({ GITHUB_REF, CI_MERGE_REQUEST_IID }: NodeJS.ProcessEnv): string | undefined {
  const [, pullRequest] = /^refs\/pull\/(\d+)\//.exec(GITHUB_REF ?? '') ?? [];
  return pullRequest ?? (CI_MERGE_REQUEST_IID || undefined);
}

function repositoryOfPipeline({ GITHUB_REPOSITORY, CI_PROJECT_PATH }: NodeJS.ProcessEnv): string | undefined {
  return GITHUB_REPOSITORY || CI_PROJECT_PATH || undefined;
}

async function commitOfGit(given: Arguments): Promise<string> {
  try {
    return (await run('git', ['rev-parse', '--verify', 'HEAD'], { env: given.environment })).stdout.trim();
  } catch {
    throw given.wrong('--commit is missing, and this folder is in no git repository with a commit');
  }
}
