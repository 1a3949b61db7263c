/** What takes long to make and stays what it is: made when it is first asked for, and kept unless making it failed. */

/** Gives what `make` made, to all who ask. Whoever asks after a failure has it made anew: it may have lacked what is there again. */
export function madeOnce<Made>(make: () => Promise<Made>): () => Promise<Made> {
  let making: Promise<Made> | undefined;
  return () => {
    making ??= make().catch((error: unknown) => {
      making = undefined;
      throw error;
    });
    return making;
  };
}
