/** `holdback token …`: tokens for pipelines, harnesses and people. One is printed once, when it is made, and kept nowhere. */
import { z } from 'zod';
import { roles } from '../../gate/disclosure/disclosed.ts';
import { type TokenRequest, tokenSchema } from '../../server/token.ts';
import { slugSchema } from '../../suites/suite.ts';
import type { Arguments } from '../arguments.ts';
import { type Client, connect, json } from '../client.ts';
import type { Command } from '../command.ts';

/** A newer service may tell more. */
const listedTokenSchema = tokenSchema.loose();
export type ListedToken = z.infer<typeof listedTokenSchema>;

/** A token goes to scripts and terminals as it is, so it is nothing but what a header can carry. */
const createdTokenSchema = listedTokenSchema.extend({ token: z.string().regex(/^[\x21-\x7e]+$/) });
export type CreatedToken = z.infer<typeof createdTokenSchema>;

const daysMax = 3_650;
const dayMs = 86_400_000;

export const tokenCreateCommand: Command = {
  words: 'token create',
  about: 'Make a token. It alone goes to stdout, once.',
  positionals: [],
  flags: {
    role: { value: 'ROLE', about: `One of ${roles.join(', ')}.` },
    name: { value: 'TEXT', about: 'What it is for, e.g. "CI of shop".' },
    owner: { value: 'NAME', about: 'Whose it is: all tokens of one owner count as one person.' },
    gate: { value: 'NAME', about: 'A gate it is limited to; without any, it is for all.', repeatable: true },
    suite: {
      value: 'NAME',
      about: 'A suite it is limited to; without any, it is for all.',
      repeatable: true,
    },
    expires: { value: 'DAYS', about: 'After how many days it ends; without it, never.' },
  },
  async run(given) {
    const role = z.enum(roles).safeParse(given.required('role'));
    if (!role.success) throw given.wrong(`--role is one of ${roles.join(', ')}`);
    const days = given.number('expires', { min: 1, max: daysMax, whole: true });
    const request = {
      role: role.data,
      name: given.required('name'),
      owner: given.text('owner'),
      gates: readNames(given, 'gate'),
      suites: readNames(given, 'suite'),
      expiresAt: days === undefined ? undefined : new Date(Date.now() + days * dayMs).toISOString(),
    };
    return { kind: 'token', token: await createToken(connect(given.environment), request) };
  },
};

export const tokenListCommand: Command = {
  words: 'token list',
  about: 'List the tokens, newest first, with their ids and what became of them.',
  positionals: [],
  flags: {},
  async run(given) {
    const schema = z.object({ tokens: z.array(listedTokenSchema) });
    return {
      kind: 'tokens',
      ...(await connect(given.environment).ask({ method: 'GET', path: ['tokens'] }, schema)),
    };
  },
};

export const tokenRevokeCommand: Command = {
  words: 'token revoke',
  about: 'Revoke a token, at once and for good.',
  positionals: [{ name: 'ID', about: 'Its id, as `holdback token list` shows it; not the token itself.' }],
  flags: {},
  async run(given) {
    const id = z.uuid().safeParse(given.requiredPositional(0));
    // What was given may be the token itself, and is not repeated.
    if (!id.success) throw given.wrong('ID is the id of a token, as `holdback token list` shows it');
    await connect(given.environment).ask({ method: 'DELETE', path: ['tokens', id.data] }, z.undefined());
    return { kind: 'token_revoked', id: id.data };
  },
};

/** Makes a token. Throws CommandError. */
export function createToken(client: Client, request: TokenRequest) {
  return client.ask({ method: 'POST', path: ['tokens'], body: json(request) }, createdTokenSchema);
}

/** Names of gates or suites, or undefined where none is given. Throws a usage error. */
function readNames(given: Arguments, flag: 'gate' | 'suite'): string[] | undefined {
  const names = given.texts(flag);
  const wrong = names.find((name) => !slugSchema.safeParse(name).success);
  if (wrong !== undefined) throw given.wrong(`--${flag}: ${wrong} is no name of a ${flag}`);
  return names.length === 0 ? undefined : names;
}
