/** What the service tells its nursery: which program to start, and then that it has all its pipes, so that the nursery lets go of them. */

/** A program with its arguments and all of its environment. */
export type Birth = {
  id: number;
  command: [string, ...string[]];
  environment: Record<string, string>;
  /** What its file descriptors are, from 0 on. */
  stdio: ['pipe', ...('pipe' | 'ignore')[]];
};

/** The nursery's end of a pipe on which nothing is said, and which closes when the service ends. */
export const lifelineFd = 4;

/** The service has all pipes of a program, or wants it no more because it does not get them. */
export type Reply = { taken: number } | { abandoned: number };
