/** What the database says, as long as somebody waits for it: a probe and a scrape give up after some seconds, and then know nothing. */
import { within } from '../migrations/within.ts';

/** A database that does not answer within so long is none, in milliseconds. */
const databaseMsMax = 2_000;

/** The answer, or undefined if there is none in time, or an error. */
export async function inTime<Answer>(asking: Promise<Answer>): Promise<Answer | undefined> {
  return within(databaseMsMax, asking).catch(() => undefined);
}
