/** Asks a person, where there is one, before something is done. */
import { createInterface } from 'node:readline/promises';

/** Where the question is put and the answer comes from: the terminal of this process, unless told otherwise. */
export type Terminal = {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream & { isTTY?: boolean };
};

const own: Terminal = { input: process.stdin, output: process.stderr };

/** Whether somebody is there to be asked. */
export function isAttended({ input, output }: Terminal = own): boolean {
  return input.isTTY === true && output.isTTY === true;
}

/** Whether the answer is yes. Anything else is no, and so is the end of the input. */
export async function confirm(question: string, terminal: Terminal = own): Promise<boolean> {
  const asking = createInterface(terminal);
  const ended = new AbortController();
  asking.once('close', () => ended.abort());
  try {
    const answer = await asking.question(`${question} [y/N] `, { signal: ended.signal });
    return /^\s*y(?:es)?\s*$/i.test(answer);
  } catch {
    return false;
  } finally {
    asking.close();
  }
}
