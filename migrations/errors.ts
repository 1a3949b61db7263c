/** What can go wrong before there is a database to speak to. */

export type DatabaseErrorCode =
  /** Another process has this data directory. */
  | 'data_directory_in_use'
  /** The database cannot be opened or reached. */
  | 'database_unavailable';

export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly code: DatabaseErrorCode;

  constructor(code: DatabaseErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
