/** Runs the service until it is told to stop: SIGTERM and SIGINT end it cleanly. */
import { readConfig } from './config.ts';
import { startService } from './service.ts';

try {
  const service = await startService(readConfig(process.env));
  console.log(`Holdback listens on ${service.address}`);
  if (service.newAdminToken !== undefined) {
    console.log(`Its first admin token, shown this once: ${service.newAdminToken}`);
  }
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    await service.close();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} catch (error) {
  console.error(`holdback could not start: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
