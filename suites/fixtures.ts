/** What a case pretends of the world: where its clock starts, its time zone, its chance, and what `fetch` receives. */
import { z } from 'zod';
import { depthMax } from '../runners/realm/value.ts';

/** So many exchanges may one case list. */
export const exchangesMax = 200;

const headersSchema = z.record(
  z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/, 'is not the name of a header'),
  z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'is not the value of a header'),
);

/** What is said of a body that nothing could write as JSON again. */
const tooDeep = `is nested deeper than ${depthMax} levels`;

/** A text as it is, or any other JSON value as its JSON. */
const bodySchema = z.unknown().refine(isShallow, tooDeep);

export const exchangeSchema = z.strictObject({
  request: z.strictObject({
    method: z
      .string()
      .regex(/^[A-Za-z]+$/, 'is not a method of HTTP')
      .optional()
      .describe('GET if left out.'),
    url: z.string().refine(isHttpUrl, 'is not an absolute URL of http or https').describe('An absolute URL.'),
    headers: headersSchema.optional().describe('Headers that the request must have; it may have others.'),
    body: bodySchema
      .optional()
      .describe('The body that the request must have: a text, or a JSON value. Left out, it may have any.'),
  }),
  response: z.strictObject({
    status: z.int().min(200).max(599).optional().describe('200 if left out.'),
    headers: headersSchema.optional(),
    body: bodySchema.optional().describe('A text, or a JSON value.'),
  }),
  times: z
    .int()
    .min(0)
    .max(10_000)
    .optional()
    .describe('How often exactly the request must be made. Left out, any number of times.'),
});
export type AuthoredExchange = z.infer<typeof exchangeSchema>;

/** What is said of a time that is none, and of a time zone that nobody knows. */
export const wrongTime = 'is not a time with its offset';
export const unknownZone = 'is not a time zone';

/** The fields of a case that are fixtures. */
export const fixtureFields = {
  at: z.iso
    .datetime({ offset: true, error: wrongTime })
    .optional()
    .describe('Where the virtual clock starts: a time of RFC 3339, as 2026-03-29T01:30:00+01:00.'),
  zone: z
    .string()
    .refine((zone) => canonicalZone(zone) !== undefined, unknownZone)
    .optional()
    .describe('The time zone, by its IANA name, as Europe/Berlin. UTC if left out.'),
  seed: z.int().min(0).max(0xffff_ffff).optional().describe('Seeds Math.random and crypto.'),
  http: z
    .array(exchangeSchema)
    .max(exchangesMax)
    .optional()
    .describe('What fetch receives. A request that is not listed fails the case.'),
};

/** So many time zones may the cases of one suite have: each of them takes a runner process of its own. */
export const zonesMax = 16;

/** A time zone as the engine itself calls it, or undefined where there is none of this name. */
export function canonicalZone(zone: string): string | undefined {
  // The engine knows offsets as well, as +01:00, and zones of long gone systems, but no process can be put into one.
  if (!/^[A-Za-z]/.test(zone) || /^SystemV/i.test(zone)) return undefined;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

function isHttpUrl(text: string): boolean {
  return /^https?:$/.test(URL.parse(text)?.protocol ?? '');
}

function isShallow(body: unknown): boolean {
  const pending: { node: unknown; depth: number }[] = [{ node: body, depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, depth } = next;
    if (typeof node !== 'object' || node === null) continue;
    if (depth === depthMax) return false;
    for (const member of Object.values(node)) pending.push({ node: member, depth: depth + 1 });
  }
  return true;
}
