/**
 * PGlite that has each statement understood once: to parse and plan one in WebAssembly takes several times what it takes to run it. It
 * does so below PGlite's own functions, in the messages of PostgreSQL's extended protocol, so that whoever asks notices nothing, and sends
 * what belongs together at once. It also counts what goes to the database.
 */
import { PGlite } from '@electric-sql/pglite';

/** So many statements are kept; the one that was not used for longest makes room. */
const statementsMax = 300;

/** Longer ones are made for one occasion, with a place for each of many values, and are not kept, in bytes. */
const statementBytesMax = 16 << 10;

const parseMessage = 'P'.charCodeAt(0);
const describeMessage = 'D'.charCodeAt(0);
const bindMessage = 'B'.charCodeAt(0);
const executeMessage = 'E'.charCodeAt(0);
const syncMessage = 'S'.charCodeAt(0);
const closeMessage = 'C'.charCodeAt(0);
const simpleMessage = 'Q'.charCodeAt(0);
const ofStatement = 'S'.charCodeAt(0);
/** A message begins with its kind and its length. */
const headBytes = 5;
const sync = Uint8Array.of(syncMessage, 0, 0, 0, 4);

type Answers = Awaited<ReturnType<PGlite['execProtocolStream']>>;
type Options = Parameters<PGlite['execProtocolStream']>[1];

/** A statement that the database knows by name, with what it answered when it was made and when it was described. */
type Prepared = { name: string; parsed: Answers; described: Answers | undefined };

export class PreparedPglite extends PGlite {
  /** How many messages have gone to the database. */
  messages = 0;
  /** By their texts, the one that was used last at the end. */
  readonly #prepared = new Map<string, Prepared>();
  #made = 0;
  /** The text of the statement that the next messages are about, where it is a kept one: PGlite has them follow each other undisturbed. */
  #current: string | undefined;
  /** What the statement is bound to, until it is executed. */
  #bound: Uint8Array | undefined;
  /** Whether the database has nothing to synchronise, because what it was sent last ended with that. */
  #isSynced = false;

  override execProtocolRawSync(message: Uint8Array): Uint8Array {
    // Each message goes through here, and what it asks for is done when this returns.
    this.messages++;
    return super.execProtocolRawSync(message);
  }

  override async execProtocolStream(message: Uint8Array, options?: Options): Promise<Answers> {
    const kind = message[0];
    if (kind === syncMessage && this.#isSynced) return [];
    if (kind === parseMessage) return this.#parse(message, options);
    if (kind === simpleMessage) this.#current = undefined;
    const current = this.#current;
    const prepared = current === undefined ? undefined : this.#prepared.get(current);
    if (current === undefined || prepared === undefined) return this.#send(message, options);
    try {
      return await this.#about(prepared, message, options);
    } catch (error) {
      // Perhaps because it is about tables that have changed: the next time it is understood anew.
      await this.#forget(current, options);
      throw error;
    }
  }

  async #about(prepared: Prepared, message: Uint8Array, options: Options): Promise<Answers> {
    switch (message[0]) {
      case describeMessage:
        if (message[headBytes] === ofStatement) {
          const asked = aboutStatement(describeMessage, prepared.name);
          prepared.described ??= await this.#send(asked, options);
          return prepared.described;
        }
        // A portal gives the columns of its statement.
        return (prepared.described ?? []).filter(
          ({ name }) => name === 'rowDescription' || name === 'noData',
        );
      case bindMessage:
        this.#bound = bindTo(message, prepared.name);
        return [];
      case executeMessage:
        return this.#send(Buffer.concat([this.#bound ?? new Uint8Array(), message, sync]), options, true);
      default:
        return this.#send(message, options);
    }
  }

  async #send(
    message: Uint8Array,
    options: Options,
    endsInSync = message[0] === simpleMessage,
  ): Promise<Answers> {
    this.#isSynced = endsInSync;
    return super.execProtocolStream(message, options);
  }

  async #parse(message: Uint8Array, options: Options): Promise<Answers> {
    const { name, text, rest } = readParse(message);
    const isOrdinary = name === '' && message.length <= statementBytesMax && rest.every((byte) => byte === 0);
    this.#current = undefined;
    this.#isSynced = false;
    if (!isOrdinary) return this.#send(message, options);
    const known = this.#prepared.get(text);
    if (known !== undefined) {
      this.#prepared.delete(text);
      this.#prepared.set(text, known);
      this.#current = text;
      return known.parsed;
    }
    const [oldest] = this.#prepared.keys();
    if (this.#prepared.size >= statementsMax && oldest !== undefined) await this.#forget(oldest, options);
    const made = `holdback_${++this.#made}`;
    const parsed = await this.#send(messageOf(parseMessage, made, text, rest), options);
    this.#prepared.set(text, { name: made, parsed, described: undefined });
    this.#current = text;
    return parsed;
  }

  async #forget(text: string, options: Options): Promise<void> {
    const prepared = this.#prepared.get(text);
    this.#prepared.delete(text);
    if (prepared === undefined) return;
    // Where the database is no longer to be asked, it is forgotten there with everything else.
    await this.#send(aboutStatement(closeMessage, prepared.name), options).catch(() => {});
  }
}

/** What a Parse message says: the statement's name, its text, and after them the types of parameters that were given. */
function readParse(message: Uint8Array): { name: string; text: string; rest: Uint8Array } {
  const nameEnd = message.indexOf(0, headBytes);
  const textEnd = message.indexOf(0, nameEnd + 1);
  const read = (from: number, to: number) => Buffer.from(message.subarray(from, to)).toString('utf8');
  return {
    name: read(headBytes, nameEnd),
    text: read(nameEnd + 1, textEnd),
    rest: message.subarray(textEnd + 1),
  };
}

/** A Bind message for another statement than the unnamed one: the names of portal and statement come first, and both are empty. */
function bindTo(message: Uint8Array, name: string): Uint8Array {
  return messageOf(bindMessage, '', name, message.subarray(headBytes + 2));
}

function aboutStatement(kind: number, name: string): Uint8Array {
  const head = Buffer.from(`\0\0\0\0\0S${name}\0`);
  head[0] = kind;
  head.writeInt32BE(head.length - 1, 1);
  return head;
}

function messageOf(kind: number, first: string, second: string, rest: Uint8Array): Uint8Array {
  const message = Buffer.concat([Buffer.from(`\0\0\0\0\0${first}\0${second}\0`), rest]);
  message[0] = kind;
  message.writeInt32BE(message.length - 1, 1);
  return message;
}
