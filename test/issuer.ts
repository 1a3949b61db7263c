/** A real issuer of CI systems' tokens on the loopback address: its own keys, its own discovery document, and a count of who asked. */
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

/** What a token of a test says besides its claims. */
export type Signing = {
  header?: Record<string, unknown>;
  /** Seconds from now. */
  issued?: number;
  expires?: number;
};

export type Issuer = {
  /** Its name, and where it is. */
  url: string;
  /** How often each of its addresses was asked. */
  asked: Record<string, number>;
  /** The keys that it publishes. */
  published: JWK[];
  /** Answers that it gives instead of its own, by path. */
  answers: Map<string, { status: number; headers?: Record<string, string>; body: string }>;
  /** A token with these claims, signed with the newest key. */
  sign(claims: JWTPayload, signing?: Signing): Promise<string>;
  /** Makes a new key and publishes that alone. */
  rotate(): Promise<void>;
  /** Stops to answer, and begins again at the same address. */
  stop(): Promise<void>;
  start(): Promise<void>;
};

/** Starts an issuer whose keys are for RS256, as those of GitHub and GitLab are. */
export async function startIssuer(): Promise<Issuer> {
  const asked: Record<string, number> = {};
  const answers: Issuer['answers'] = new Map();
  let port = 0;
  let keys = 0;
  let key = await generateKeyPair('RS256');
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked[path] = (asked[path] ?? 0) + 1;
    const own: Record<string, unknown> = {
      '/.well-known/openid-configuration': { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` },
      '/keys': { keys: issuer.published },
    };
    const answer = answers.get(path) ?? {
      status: own[path] === undefined ? 404 : 200,
      body: JSON.stringify(own[path] ?? {}),
    };
    response
      .writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
      .end(answer.body);
  });
  const issuer: Issuer = {
    url: '',
    asked,
    published: [],
    answers,
    sign: (claims, { header = {}, issued = 0, expires = 300 } = {}) => {
      const now = Math.floor(Date.now() / 1_000);
      return new SignJWT({ iss: issuer.url, iat: now + issued, exp: now + expires, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: `key-${keys}`, typ: 'JWT', ...header })
        .sign(key.privateKey);
    },
    rotate: async () => {
      key = await generateKeyPair('RS256');
      keys++;
      issuer.published = [
        { ...(await exportJWK(key.publicKey)), kid: `key-${keys}`, alg: 'RS256', use: 'sig' },
      ];
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    start: () =>
      new Promise((resolve) => {
        server.listen(port, '127.0.0.1', () => {
          const address = server.address();
          if (typeof address === 'object' && address !== null) port = address.port;
          issuer.url = `http://127.0.0.1:${port}`;
          resolve();
        });
      }),
  };
  await issuer.rotate();
  await issuer.start();
  return issuer;
}
