/** What is known of a token: one schema for how it is asked for, and one for how it is listed, never with the token itself. */
import { z } from 'zod';
import { roles } from '../gate/disclosure/disclosed.ts';
import { wellFormed } from '../gate/gate.ts';
import { slugSchema } from '../suites/suite.ts';

const names = z.array(slugSchema).min(1).max(100);

export const tokenRequestSchema = z.strictObject({
  role: z.enum(roles),
  name: wellFormed(200).describe('What the token is for.'),
  owner: wellFormed(200)
    .optional()
    .describe(
      'Whose it is: all tokens of one owner, however it is capitalised, count as one person. Without it, it is a person of its own.',
    ),
  gates: names.optional().describe('The gates it is limited to; all if left out.'),
  suites: names.optional().describe('The suites it is limited to; all if left out.'),
  expiresAt: z.iso
    .datetime({ offset: true, error: 'must be a time such as 2030-01-31T12:00:00Z' })
    .refine((time) => Date.parse(time) > Date.now(), { error: 'must be in the future' })
    .optional()
    .describe('When it stops to be of use; never if left out.'),
});
export type TokenRequest = z.infer<typeof tokenRequestSchema>;

const time = z.iso.datetime().nullable();

export const tokenSchema = z.strictObject({
  id: z.uuid(),
  role: z.enum(roles),
  name: z.string(),
  owner: z.string().nullable(),
  gates: z.array(slugSchema).nullable().describe('Null for all.'),
  suites: z.array(slugSchema).nullable().describe('Null for all.'),
  createdAt: z.iso.datetime(),
  createdBy: z.string().nullable(),
  expiresAt: time,
  lastUsedAt: time.describe('Up to a minute behind.'),
  revokedAt: time,
  revokedBy: z.string().nullable(),
});
export type Token = z.infer<typeof tokenSchema>;
