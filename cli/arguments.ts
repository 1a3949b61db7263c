/** What a user gave to a command, read strictly: an unknown, repeated, empty or missing argument is told, never guessed. */
import { parseArgs } from 'node:util';
import { nearest } from '../suites/authoring/nearest.ts';
import { type Command, flagsOf } from './command.ts';
import { usageError } from './errors.ts';

export class Arguments {
  /** The variables that the command was started with. */
  readonly environment: NodeJS.ProcessEnv;
  readonly #command: Command;
  readonly #values: Map<string, string[]>;
  readonly #positionals: string[];

  /** Throws a usage error for whatever the command does not take. */
  constructor(command: Command, argv: string[], environment: NodeJS.ProcessEnv) {
    this.#command = command;
    this.environment = environment;
    const flags = flagsOf(command);
    const options = Object.fromEntries(
      Object.entries(flags).map(([name, { value }]) => {
        const type = value === undefined ? ('boolean' as const) : ('string' as const);
        // All are gathered, so that one that is given twice by mistake is noticed.
        return [name, name === 'help' ? { type, multiple: true, short: 'h' } : { type, multiple: true }];
      }),
    );
    const { values, positionals } = this.#parse(argv, options);
    this.#values = new Map(
      Object.entries(values).map(([name, given]) => [name, [given ?? []].flat().map(String)]),
    );
    this.#positionals = positionals;
    for (const [name, given] of this.#values) this.#requirePlausible(name, given);
  }

  /** Whether a switch was given. */
  has(flag: string): boolean {
    return this.#values.has(flag);
  }

  /** All values of a repeatable option, in the order given. */
  texts(flag: string): string[] {
    return this.#values.get(flag) ?? [];
  }

  text(flag: string): string | undefined {
    return this.texts(flag)[0];
  }

  /** The value of an option that must be there. Throws a usage error. */
  required(flag: string): string {
    const text = this.text(flag);
    if (text === undefined) throw this.wrong(`--${flag} is missing`);
    return text;
  }

  /** The value of an option that is a number within bounds. Throws a usage error. */
  number(flag: string, bounds: { min: number; max: number; whole: boolean }): number | undefined {
    const text = this.text(flag);
    if (text === undefined) return undefined;
    const { min, max, whole } = bounds;
    const number = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (number >= min && number <= max && (!whole || Number.isInteger(number))) return number;
    throw this.wrong(`--${flag} takes a ${whole ? 'whole ' : ''}number from ${min} to ${max}, not ${text}`);
  }

  /** The value of an option that is a share within bounds, as `1%` or `0.01`. Throws a usage error. */
  share(flag: string, { min, max }: { min: number; max: number }): number | undefined {
    const text = this.text(flag);
    if (text === undefined) return undefined;
    const [, digits, sign] = /^(\d+(?:\.\d+)?|\.\d+) ?(%?)$/.exec(text) ?? [];
    const share = digits === undefined ? Number.NaN : Number(digits) / (sign === '%' ? 100 : 1);
    if (share >= min && share <= max) return share;
    const [least, most] = [min, max].map((bound) => `${Number((bound * 100).toPrecision(6))}%`);
    throw this.wrong(`--${flag} takes a share from ${least} to ${most}, as 1% or 0.01, not ${text}`);
  }

  positional(index: number): string | undefined {
    return this.#positionals[index];
  }

  /** All positional arguments. */
  positionals(): string[] {
    return this.#positionals;
  }

  /** A positional argument that must be there. Throws a usage error. */
  requiredPositional(index: number): string {
    const text = this.#positionals[index];
    if (text === undefined) throw this.wrong(`${this.#command.positionals[index]?.name} is missing`);
    return text;
  }

  /** A usage error that points to this command's help. */
  wrong(message: string): Error {
    return usageError(`${message} (holdback ${this.#command.words} --help tells what it takes)`);
  }

  #parse(args: string[], options: NonNullable<Parameters<typeof parseArgs>[0]>['options']) {
    try {
      return parseArgs({ args, options, allowPositionals: true, strict: true });
    } catch (error) {
      const [, unknown] =
        /^Unknown option '--([^']+)'/.exec(error instanceof Error ? error.message : '') ?? [];
      if (unknown !== undefined) {
        const meant = nearest(unknown, Object.keys(options ?? {}));
        throw this.wrong(
          `there is no option --${unknown}${meant === undefined ? '' : `: did you mean --${meant}?`}`,
        );
      }
      // Node's first sentence says what is wrong; the rest is about parseArgs.
      const [what] = (error instanceof Error ? error.message : String(error)).split(/(?:\. |\.?\n)/);
      throw this.wrong(what ?? 'the arguments could not be read');
    }
  }

  #requirePlausible(name: string, given: string[]): void {
    const flag = flagsOf(this.#command)[name];
    if (flag?.value !== undefined && given.length > 1 && flag.repeatable === undefined) {
      throw this.wrong(`--${name} is given ${given.length} times, and takes one value`);
    }
    // An unset variable of a pipeline arrives as an empty text.
    if (given.includes('')) throw this.wrong(`--${name} is empty`);
  }

  /** Throws a usage error where there are more positional arguments than the command takes. */
  requireNoMore(): void {
    const { positionals } = this.#command;
    const surplus = this.#positionals[positionals.length];
    if (surplus !== undefined && !positionals.at(-1)?.repeatable)
      throw this.wrong(`${surplus} is one argument too many`);
    if (this.#positionals.includes('')) throw this.wrong('an argument is empty');
  }
}
