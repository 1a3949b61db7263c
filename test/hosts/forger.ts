/** The thread of a host that has been taken over: it writes to the channel whatever the job tells it. */
import { writeSync } from 'node:fs';

export function warm(): void {}

export function run(lines: string[]): void {
  for (const line of lines) writeSync(3, line);
}
