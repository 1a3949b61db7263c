/** `holdback serve`: runs the service until it is told to stop. The settings are the service's own; flags only set them. */
import type { Command } from '../command.ts';
import { CommandError } from '../errors.ts';
import { abortOnInterruption } from '../interruption.ts';
import { startService } from '../service.ts';

const settings = {
  host: 'HOLDBACK_HOST',
  port: 'HOLDBACK_PORT',
  'data-dir': 'HOLDBACK_DATA_DIR',
  'database-url': 'DATABASE_URL',
} as const;

export const serveCommand: Command = {
  words: 'serve',
  about: 'Run the service until SIGTERM or Ctrl-C.',
  positionals: [],
  flags: {
    host: { value: 'ADDRESS', about: 'The address to listen on: HOLDBACK_HOST (127.0.0.1).' },
    port: { value: 'PORT', about: 'The port, 0 for any free one: HOLDBACK_PORT (8787).' },
    'data-dir': {
      value: 'FOLDER',
      about: 'Where the embedded database is kept: HOLDBACK_DATA_DIR (.holdback).',
    },
    'database-url': {
      value: 'URL',
      about: 'A PostgreSQL to use instead. With a password, set DATABASE_URL rather: others can see this.',
    },
  },
  notes: [
    'The first time, it prints an admin token, once; or set HOLDBACK_ADMIN_TOKEN to one of your own.',
    'With --json, the document is {"url": …}, printed as soon as the service listens.',
  ],
  async run(given, say) {
    given.number('port', { min: 0, max: 65_535, whole: true });
    const flags = Object.entries(settings).flatMap(([flag, name]) => {
      const text = given.text(flag);
      return text === undefined ? [] : [[name, text]];
    });
    const isJson = given.has('json');
    const service = await startService({
      environment: { ...given.environment, ...Object.fromEntries(flags) },
      listens: (url) => (isJson ? console.log(JSON.stringify({ url })) : say(`Holdback listens on ${url}`)),
      say: (line) => (isJson ? console.error(line) : say(line)),
      interruption: abortOnInterruption(),
    });
    const code = await service.ended;
    if (code === 0) return { kind: 'served' };
    throw new CommandError(
      'service',
      'service_failed',
      `the service ended ${code === null ? 'by a signal' : `with exit code ${code}`}`,
    );
  },
};
