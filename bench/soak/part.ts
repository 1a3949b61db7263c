/** What every part of the soak is: a fault, how often it is injected in a full run, and what is told of it. */
import type { Fleet } from './fleet.ts';
import type { Tally } from './traffic.ts';

export type Outcome = {
  /** How often the fault was injected. */
  faults: number;
  tally: Tally;
  /** Whatever else was measured, in words with units. */
  notes: string[];
  /** What does not hold that this part promises besides. */
  broken: string[];
};

export type Part = {
  name: string;
  what: string;
  /** In a full run. */
  count: number;
  run(fleet: Fleet, count: number): Promise<Outcome>;
};
