/** Shows on a terminal that something is under way, and leaves nothing behind. Elsewhere it shows nothing at all. */

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameMs = 100;
const clearLine = '\r\u001b[K';

/** Waits for the work with a line of progress on stderr: what is being done, and for how many seconds already. */
export async function withProgress<Result>(label: string, work: Promise<Result>): Promise<Result> {
  const { stderr } = process;
  if (!stderr.isTTY) return work;
  const startedAt = performance.now();
  let frame = 0;
  const timer = setInterval(() => {
    const seconds = Math.floor((performance.now() - startedAt) / 1_000);
    stderr.write(`${clearLine}${frames[frame++ % frames.length]} ${label} ${seconds} s`);
  }, frameMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    stderr.write(clearLine);
  }
}
