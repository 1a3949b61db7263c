/** An instant as routes take it: a date and time in UTC that the database can hold, also some time before it. */
import { z } from 'zod';

export const instantSchema = z.iso
  .datetime()
  .refine((text) => text >= '1970', { error: 'must be after 1970-01-01T00:00:00Z' });
