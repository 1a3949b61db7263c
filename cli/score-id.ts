/** The id of a score, as a user gives it to a command. */
import { z } from 'zod';
import type { Arguments } from './arguments.ts';

export const scorePositional = { name: 'SCORE', about: 'The id of the score.' };

/** The id that is the first of what was given. Throws a usage error. */
export function readScoreId(given: Arguments): string {
  const id = z.uuid().safeParse(given.requiredPositional(0));
  if (!id.success) throw given.wrong('SCORE is the id of a score, as `holdback score` and the pages show it');
  return id.data;
}
