/** What can go wrong before there is a database to speak to. */
// What it says is read before the rest of drizzle-orm.
import { DrizzleQueryError } from 'drizzle-orm/errors';

export type DatabaseErrorCode =
  /** Another process has this data directory. */
  | 'data_directory_in_use'
  /** There is no data directory, and none can be made. */
  | 'data_directory_unusable'
  /** The database cannot be opened or reached. */
  | 'database_unavailable'
  /** PostgreSQL is set to lose what it has acknowledged. */
  | 'database_not_durable'
  /** Another process on the same database is set otherwise. */
  | 'settings_differ'
  /** The journal of the embedded database is not whole. */
  | 'journal_damaged'
  /** What was committed cannot be brought to the disk. */
  | 'journal_unwritable'
  /** A file is no backup, or not a whole one. */
  | 'backup_broken'
  /** A backup cannot be restored there, or not with the identity at hand; the message says what to do. */
  | 'restore_refused';

export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly code: DatabaseErrorCode;

  constructor(code: DatabaseErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What we know of why a query failed, without Drizzle's error around it; any other error as it is. */
export function withoutQuery(error: unknown): unknown {
  return error instanceof DrizzleQueryError && error.cause instanceof DatabaseError ? error.cause : error;
}

/**
 * An error as it may be printed and logged: what the database says, without the statement that it refused, whose parameters are
 * whole suites and builds.
 */
export function withoutStatement(error: unknown): unknown {
  if (!(error instanceof DrizzleQueryError)) return error;
  const { message, stack } = error.cause ?? { message: 'a statement failed', stack: '' };
  const told = new Error(message.split('\n', 1)[0]);
  told.stack = stack ?? '';
  return told;
}
