/**
 * The `holdback` command, but for the process that it runs in: finds the command that was asked for, runs it, and prints what came
 * of it.
 */
import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { z } from 'zod';
import { nearest } from '../suites/authoring/nearest.ts';
import { Arguments } from './arguments.ts';
import { helpOf, helpOfAll } from './command.ts';
import { type CommandEntry, commands } from './commands.ts';
import { CommandError, usageError } from './errors.ts';
import { type Outcome, present } from './outcome.ts';

/** What a command has around it: the variables that it reads, and where it prints. */
export type Surroundings = {
  environment: NodeJS.ProcessEnv;
  /** Prints a text and ends the line. */
  out(text: string): void;
  err(text: string): void;
};

/** Runs the command of these arguments to its end. Resolves to its exit code; whatever goes wrong is told and has one too. */
export async function runHoldback(argv: string[], { environment, out, err }: Surroundings): Promise<number> {
  const isJson = argv.includes('--json');
  const say = (line: string) => {
    if (!isJson) out(line);
  };
  const outcome = await run(argv, environment, say).catch(
    (error: unknown): Outcome => ({ kind: 'failed', error: failureOf(error) }),
  );
  const { text, note, json, exitCode } = present(outcome);
  if (note !== '') err(`holdback: ${note}`);
  if (isJson && json !== undefined) out(JSON.stringify(json));
  if (!isJson && text !== '') out(text);
  return exitCode;
}

async function run(
  argv: string[],
  environment: NodeJS.ProcessEnv,
  say: (line: string) => void,
): Promise<Outcome> {
  // Switches may stand before the command's words.
  const start = argv.findIndex((argument) => !argument.startsWith('-'));
  const [leading, words] = start === -1 ? [argv, []] : [argv.slice(0, start), argv.slice(start)];
  const entry = commands.find(
    (candidate) => words.slice(0, wordsOf(candidate).length).join(' ') === candidate.words,
  );
  if (entry !== undefined) {
    const command = await entry.load();
    const given = new Arguments(command, [...leading, ...words.slice(wordsOf(entry).length)], environment);
    if (given.has('help')) return { kind: 'text', text: helpOf(command) };
    given.requireNoMore();
    return command.run(given, say);
  }
  if (leading.includes('--version')) return { kind: 'text', text: await readVersion() };
  const isGroup = commands.filter((candidate) => wordsOf(candidate)[0] === words[0]);
  const asksHelp =
    [...leading, ...words].some((word) => word === '--help' || word === '-h') || words[0] === 'help';
  if (asksHelp) {
    const told = await Promise.all((isGroup.length > 0 ? isGroup : commands).map(({ load }) => load()));
    return { kind: 'text', text: helpOfAll(told) };
  }
  const known = (isGroup.length > 0 ? isGroup : commands).map(({ words }) => words).join(', ');
  const asked = words.slice(0, isGroup.length > 0 ? 2 : 1).join(' ');
  if (asked === '') throw usageError(`a command is missing: ${known} (holdback --help tells what they do)`);
  const meant = nearest(
    asked,
    commands.map(({ words }) => words),
  );
  if (meant !== undefined)
    throw usageError(`there is no command ${asked}: did you mean ${meant}? (holdback --help tells of all)`);
  throw usageError(`there is no command ${asked}: ${known} (holdback --help tells what they do)`);
}

function wordsOf({ words }: CommandEntry): string[] {
  return words.split(' ');
}

async function readVersion(): Promise<string> {
  const path = findPackageJSON(import.meta.url);
  if (path === undefined) return 'unknown';
  return z.object({ version: z.string() }).parse(JSON.parse(await readFile(path, 'utf8'))).version;
}

function failureOf(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  const what = error instanceof Error ? error.message : String(error);
  return new CommandError('service', 'internal', `holdback failed: ${what}`, { cause: error });
}
