/** The `holdback` command as a process. It ends with exit code 3 unless it comes to know better. */
import { runHoldback } from './run-holdback.ts';

process.exitCode = 3;
// Whoever reads may stop reading; the exit code is still the answer.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
process.exitCode = await runHoldback(process.argv.slice(2), {
  environment: process.env,
  out: (text) => console.log(text),
  err: (text) => console.error(text),
});
