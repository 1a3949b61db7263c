/** Instants and days as routes and pages take them: in UTC, and such as the database can hold, also some time before and after. */
import { z } from 'zod';

export const instantSchema = z.iso
  .datetime()
  .refine((text) => text >= '1970', { error: 'must be after 1970-01-01T00:00:00Z' });

export const daySchema = z.iso
  .date()
  .refine((text) => text >= '1970-02' && text < '9000', { error: 'must be from 1970-02 to 8999' });
