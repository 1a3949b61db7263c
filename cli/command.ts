/**
 * What a command is: its words, what it takes, and what it does. Parsing and `--help` are both derived from the same
 * description, so that they cannot disagree.
 */
import type { Arguments } from './arguments.ts';
import type { Outcome } from './outcome.ts';

/** An option. Without `value` it is a switch; `value` is what help calls the thing that follows it. */
export type Flag = { value?: string; about: string; repeatable?: true };

export type Command = {
  /** The words after `holdback`, for example `suite push`. */
  words: string;
  about: string;
  /** The last one may be repeatable: then there may be any number of it, none as well. */
  positionals: { name: string; about: string; optional?: true; repeatable?: true }[];
  flags: Record<string, Flag>;
  /** What a user should know besides, in whole lines. */
  notes?: string[];
  /** `say` prints for people as the work goes on; with `--json` it prints nothing. */
  run(given: Arguments, say: (line: string) => void): Promise<Outcome>;
};

const everywhere: Record<string, Flag> = {
  json: { about: 'Print exactly one JSON document, also for an error.' },
  help: { about: 'Show this.' },
};

/** All flags of a command, with those that every command has. */
export function flagsOf(command: Command): Record<string, Flag> {
  return { ...command.flags, ...everywhere };
}

/** The help of one command. */
export function helpOf(command: Command): string {
  const operands = command.positionals.map(({ name, optional, repeatable }) => {
    return optional ? `[${name}]` : `${name}${repeatable ? '…' : ''}`;
  });
  const rows = [
    ...command.positionals.map(({ name, about }) => [name, about] as const),
    ...Object.entries(flagsOf(command)).map(([name, { value, about, repeatable }]) => {
      const left = value === undefined ? `--${name}` : `--${name} ${value}`;
      return [left, repeatable ? `${about} May be given more than once.` : about] as const;
    }),
  ];
  const usage = ['holdback', command.words, ...operands, '[options]'].join(' ');
  const notes = command.notes === undefined ? [] : ['', ...command.notes];
  return [`Usage: ${usage}`, '', command.about, '', ...table(rows), ...notes].join('\n');
}

/** The help of `holdback` itself: every command in a line. */
export function helpOfAll(commands: Command[]): string {
  return [
    'Usage: holdback COMMAND [options]',
    '',
    'Holdback keeps sealed holdback suites, scores candidate builds against them, and answers',
    'whether a change may merge.',
    '',
    ...table(commands.map(({ words, about }) => [words, about] as const)),
    '',
    'holdback COMMAND --help tells what a command takes; --json makes any of them print one JSON document.',
    '',
    ...table([
      ['HOLDBACK_URL', 'Where the service is (http://127.0.0.1:8787).'],
      ['HOLDBACK_TOKEN', 'The token to use there.'],
    ]),
    '',
    'Exit codes of score and verdict: 0 merge, 1 block, 2 usage, 3 no verdict could be had.',
    'Exit codes of audit verify: 0 it holds, 1 it does not, 2 usage, 3 the service could not be had.',
    'Of suite strength: 0 measured, 1 less than --at-least, 2 usage, 3 the service could not be had.',
    'Of suite preflight: 0 the builds behave, 1 they do not, 2 usage, 3 the service could not be had.',
    'Of leaks: 0 nothing found, 1 something found, 2 usage, 3 not everything could be looked at.',
    'Of the others: 0 done, 2 usage or refused, 3 the service could not be had.',
  ].join('\n');
}

const widthMax = 100;

function table(rows: (readonly [string, string])[]): string[] {
  const column = Math.max(...rows.map(([left]) => left.length)) + 4;
  return rows.flatMap(([left, right]) => {
    const [first = '', ...rest] = wrap(right, widthMax - column);
    return [`  ${left}`.padEnd(column) + first, ...rest.map((line) => ' '.repeat(column) + line)];
  });
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}
