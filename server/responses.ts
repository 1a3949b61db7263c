/** What every route may answer besides its own: problems. */
import type { ZodType } from 'zod';
import { problemSchema } from './problems.ts';

const problemResponse = {
  description: 'A problem (RFC 9457).',
  content: { 'application/problem+json': { schema: problemSchema } },
} as const;

/** The route's own responses, and the problems that any route may answer with. */
export function withProblems<Responses extends Record<number, ZodType | object>>(responses: Responses) {
  return { ...responses, '4xx': problemResponse, '5xx': problemResponse };
}
