/**
 * What a runner is told of one case: what is called with what, and in which world. It stands apart from `protocol.ts` because
 * hosts load it, and what they load is small.
 */

/** One call of an exported function, with its input as carried JSON text. */
export type Call = {
  /** The name of the export. */
  call: string;
  input: string;
  /** Whether anybody looks at the output. Set-up is only run, and what it returns need not be carriable. */
  wanted: boolean;
};

/** What a case pretends of the world, where it is not the usual one. */
export type Fixtures = {
  /** Where the virtual clock starts, in milliseconds since the epoch. */
  atMs?: number;
  /** The IANA name of the time zone, in its canonical form. */
  zone?: string;
  /** Seeds Math.random and crypto in place of the job's seed. */
  seed?: number;
  /** What the candidate's `fetch` receives; without it there is no `fetch`. */
  http?: Exchange[];
};

/** A request that a candidate may make, and what it receives. */
export type Exchange = {
  request: { method: string; url: string; headers: [name: string, value: string][]; body?: RequestBody };
  response: { status: number; statusText: string; headers: [name: string, value: string][]; body: string };
};

/** A body that is asked for: as a text, or as JSON text whose values are compared. */
export type RequestBody = { text: string } | { json: string };

/**
 * One case, as a runner is told of it: never its name, its expectations, how often a request should be made, of which suite it
 * is, or how many others there are.
 */
export type CaseRun = {
  /** One at least; one after the other in one realm. */
  calls: [Call, ...Call[]];
  /**
   * Whether the observation tells of each call and of the requests that were made (see `realm/scenario.ts`), and not just of
   * the only call.
   */
  isScenario: boolean;
  /** Whether its processor time is measured. */
  isTimed?: true;
  fixtures?: Fixtures;
};

/** Whether a case is one call of `run` in the usual world, as most are. */
export function isPlain({ calls: [{ call }], isScenario, fixtures }: CaseRun): boolean {
  return !isScenario && call === 'run' && fixtures === undefined;
}

/** How long the observation of a scenario may be besides the outputs, in bytes: a few words for each call and exchange. */
export function frameBytesMax({ calls, isScenario, fixtures }: CaseRun): number {
  return isScenario ? 64 + calls.length * 256 + (fixtures?.http?.length ?? 0) * 16 : 0;
}

/** The run of a plain case: one call of `run` in the usual world. */
export function plainRun(input: string): CaseRun {
  return { calls: [{ call: 'run', input, wanted: true }], isScenario: false };
}
