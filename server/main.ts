/** Runs the service until it is told to stop: SIGTERM and SIGINT end it cleanly. */
import { once } from 'node:events';
import { keepCompiledCode } from './compiled-code.ts';
import { forbidCoreDumps } from './core-dumps.ts';
import './drizzle-is-esm.ts';
import type { Hosts } from './hosts.ts';

forbidCoreDumps();

/** What warns of something is a line of the log, once there is one. */
let warn = (warning: Error): void => console.error(`${warning.name}: ${warning.message}`);
/** What nobody caught ends the process, and is told as the log would tell it: a statement's parameters may be whole builds. */
let tell = (failure: unknown): string => `${failure}`;
process.on('uncaughtException', (failure) => {
  console.error(`holdback ended, because of an error that nobody caught: ${tell(failure)}`);
  process.exit(1);
});
process.removeAllListeners('warning');
process.on('warning', (warning) => warn(warning));

/** Whether to stop: also while the service is still starting, which then is not gone on with. */
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('SIGINT', () => stop.abort());

keepCompiledCode();
// Loaded only now, because the program may just have begun once more.
const { findUnknown, readConfig } = await import('./config.ts');
const { withoutStatement } = await import('../migrations/errors.ts');
const { failureText, redact } = await import('./log.ts');
tell = failureText;

let hosts: Hosts | undefined;
try {
  const config = readConfig(process.env);
  for (const unknown of findUnknown(process.env)) process.emitWarning(unknown);
  // What other processes and the engine's own threads do meanwhile is begun before this one reads the rest of its code.
  const { Hosts } = await import('./hosts.ts');
  hosts = new Hosts(config.walls);
  if (config.databaseUrl === undefined) {
    const { compileEmbedded } = await import('../migrations/embedded-client.ts');
    // Who opens the database hears of it.
    compileEmbedded().catch(() => {});
  }
  await Promise.allSettled([hosts.runners, hosts.graders]);
  const { startService } = await import('./service.ts');
  const service = await startService(config, stop.signal, hosts);
  warn = ({ name, message }) => service.app.log.warn({ warning: name }, message);
  console.log(`Holdback listens on ${service.address}`);
  if (service.newAdminToken !== undefined) {
    console.log(`Its first admin token, shown this once: ${service.newAdminToken}`);
  }
  if (!stop.signal.aborted) await once(stop.signal, 'abort');
  await service.close();
} catch (failure) {
  // Whoever stops a start is not told that it failed.
  if (!stop.signal.aborted) {
    const error = withoutStatement(failure);
    console.error(redact(`holdback could not start: ${error instanceof Error ? error.message : error}`));
    process.exitCode = 1;
  }
  await hosts?.close();
}
