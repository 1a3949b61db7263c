/** Shows on a terminal that something is under way, and leaves nothing behind. Elsewhere it shows nothing at all. */

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameMs = 100;
const clearLine = '\r\u001b[K';

/** Waits for the work with a line of progress on stderr: what is being done just now, and for how many seconds already. */
export async function withProgress<Result>(
  label: string | (() => string),
  work: Promise<Result>,
): Promise<Result> {
  const { stderr } = process;
  if (!stderr.isTTY) return work;
  const startedAt = performance.now();
  let frame = 0;
  const timer = setInterval(() => {
    const seconds = Math.floor((performance.now() - startedAt) / 1_000);
    stderr.write(
      `${clearLine}${frames[frame++ % frames.length]} ${typeof label === 'string' ? label : label()} ${seconds} s`,
    );
  }, frameMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    stderr.write(clearLine);
  }
}

const barCells = 24;

/** How much of the work is done, as a bar with numbers. */
export function progressBar(done: number, all: number): string {
  const cells = all === 0 ? 0 : Math.min(barCells, Math.floor((done / all) * barCells));
  return `${'█'.repeat(cells)}${'░'.repeat(barCells - cells)} ${done}/${all}`;
}
