/** Where drizzle-kit finds the tables and keeps the SQL made from them. */
import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: './migrations/tables.ts',
  out: './migrations/sql',
});
