/** `holdback token create`: a token for a pipeline, a harness or a person. It is printed once and kept nowhere. */
import { z } from 'zod';
import { type Role, roles } from '../../gate/disclosed.ts';
import { slugSchema } from '../../suites/suite.ts';
import { type Client, connect, json } from '../client.ts';
import type { Command } from '../command.ts';

/** What this command needs of the answer. */
const createdTokenSchema = z.looseObject({
  id: z.string(),
  role: z.enum(roles),
  name: z.string(),
  token: z.string().min(1),
});
export type CreatedToken = z.infer<typeof createdTokenSchema>;

export const tokenCreateCommand: Command = {
  words: 'token create',
  about: 'Make a token. It alone goes to stdout, once.',
  positionals: [],
  flags: {
    role: { value: 'ROLE', about: `One of ${roles.join(', ')}.` },
    name: { value: 'TEXT', about: 'What it is for, e.g. "CI of shop".' },
    gate: { value: 'NAME', about: 'A gate it is limited to; without any, it is for all.', repeatable: true },
  },
  async run(given) {
    const role = z.enum(roles).safeParse(given.required('role'));
    if (!role.success) throw given.wrong(`--role is one of ${roles.join(', ')}`);
    const gates = given.texts('gate');
    const wrong = gates.find((gate) => !slugSchema.safeParse(gate).success);
    if (wrong !== undefined) throw given.wrong(`--gate: ${wrong} is no name of a gate`);
    const request = { role: role.data, name: given.required('name'), ...(gates.length > 0 ? { gates } : {}) };
    return { kind: 'token', token: await createToken(connect(), request) };
  },
};

/** Makes a token. Throws CommandError. */
export function createToken(client: Client, request: { role: Role; name: string; gates?: string[] }) {
  return client.ask({ method: 'POST', path: ['tokens'], body: json(request) }, createdTokenSchema);
}
