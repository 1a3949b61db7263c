/**
 * The log: one JSON line for each thing that happened, on standard output. What is told is chosen (`serializers`), and whatever looks
 * like a secret is taken out of every finished line besides, so that an error of somebody else's code cannot bring one there.
 */
import type { FastifyRequest } from 'fastify';
import { withoutStatement } from '../migrations/errors.ts';

/** What looks like a secret: our tokens, others' JSON Web Tokens, age identities, passwords in URLs, authorization in words. */
const secrets: [pattern: RegExp, instead: string][] = [
  [/hb_[0-9A-Za-z_]{16,}/g, 'hb_[redacted]'],
  [/eyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, '[redacted JWT]'],
  [/AGE-SECRET-KEY-[0-9A-Z-]+/gi, '[redacted identity]'],
  [/(\w+:\/\/[^\s/:@"]*):[^\s/@"]+@/g, '$1:[redacted]@'],
  [/\b(bearer|basic) +[^\s"\\]{8,}/gi, '$1 [redacted]'],
];

/** A text without what looks like a secret. */
export function redact(text: string): string {
  return secrets.reduce((rest, [pattern, instead]) => rest.replace(pattern, instead), text);
}

/** An error's stack names places in our code; its message may be long where it is a parser's. */
const toldCharsMax = 2_000;

type Told = { type: string; code?: string; message: string; stack: string };

function errorAsTold(failure: unknown): Told {
  const error = withoutStatement(failure);
  if (!(error instanceof Error))
    return { type: typeof error, message: 'what was thrown is no error', stack: '' };
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  const message = error.message.slice(0, toldCharsMax);
  // Without its first lines, which are the message again.
  const lines = (error.stack ?? '').slice(0, 2 * toldCharsMax).split('\n');
  const stack = lines.filter((line) => /^\s+at /.test(line)).join('\n');
  return { type: error.name, ...code, message, stack };
}

/** What ended the process: its name, its message and where it came from, as the log tells it. */
export function failureText(failure: unknown): string {
  const { type, message, stack } = errorAsTold(failure);
  return redact(`${type}: ${message}\n${stack}`);
}

/** A path in which no character is percent-encoded that could be one of a token, which would not look like one else. */
function plain(path: string): string {
  return path.replace(/%([2-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** How Fastify logs. Of a request its method, path and address are told; of an answer its status. Never headers, queries or bodies. */
export function loggerOptions(level: string) {
  return {
    level,
    serializers: {
      req: ({ id, method, url, ip }: FastifyRequest) => ({
        id,
        method,
        path: plain(url.split('?', 1)[0] ?? ''),
        ip,
      }),
      res: ({ statusCode }: { statusCode?: number }) => ({ statusCode: statusCode ?? 0 }),
      err: errorAsTold,
    },
    redact: {
      paths: [
        'authorization',
        'cookie',
        'token',
        'password',
        'source',
        'input',
        'expect',
        'observation',
      ].flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
      censor: '[redacted]',
    },
    hooks: { streamWrite: redact },
  };
}
