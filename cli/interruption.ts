/** Ctrl-C and its kin, for commands that must put something away before they end. */

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Aborts when this process is told to end. From then on the caller has to end it. */
export function abortOnInterruption(): AbortSignal {
  const interruption = new AbortController();
  for (const signal of signals) process.on(signal, () => interruption.abort());
  return interruption.signal;
}
