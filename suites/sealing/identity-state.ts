/** How the service's identity stands, as admins may know it. */
import { z } from 'zod';

export const identityStateSchema = z.strictObject({
  recipient: z.string().describe('What suites are sealed to.'),
  state: z
    .enum(['settled', 'resealing', 'stopped'])
    .describe(
      'settled: the identity alone opens everything. resealing: what was sealed to an earlier one is being sealed anew. stopped: that failed, and goes on when the service starts again.',
    ),
  unreadable: z
    .int()
    .nonnegative()
    .describe('How many stored things open with no identity that the service had when it sealed all anew.'),
});
export type IdentityState = z.infer<typeof identityStateSchema>;
