/**
 * What the page of trends is asked to show, as it stands in its address: of which gate or suite, over which period, split by whom. It
 * makes the question that the API answers, and the addresses of other views. Pure.
 */
import { z } from 'zod';
import { changeSchema } from '../../gate/gate.ts';
import {
  type TrendGroup,
  type TrendQuestion,
  trendBuckets,
  trendGroups,
  trendInstantSchema,
} from '../../gate/trends/trend.ts';
import { slugSchema } from '../../suites/suite.ts';
import { daySchema } from '../instant.ts';
import { fittingBucket } from './fitting-bucket.ts';

/** The periods that are one click away, in days. */
export const periodDays = [7, 30, 90, 365] as const;
type Days = (typeof periodDays)[number];
const daysDefault = 30;

/** A form sends its empty fields as well. */
const optional = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((text) => (text === '' ? undefined : text), schema.optional());

/** A day, or an instant. */
const momentSchema = z.union([daySchema, trendInstantSchema], {
  error: 'must be a day, such as 2026-11-25, or an instant',
});

export const trendsQuerySchema = z.strictObject({
  gate: optional(slugSchema),
  suite: optional(slugSchema),
  /** What the form sends instead of these two: `gate:` or `suite:` and the name. */
  of: optional(z.string().regex(/^(?:gate|suite):/)),
  days: optional(z.coerce.number().pipe(z.literal(periodDays))),
  from: optional(momentSchema),
  to: optional(momentSchema),
  bucket: optional(z.enum(trendBuckets)),
  by: optional(z.enum(trendGroups)),
  agent: optional(changeSchema.shape.agent.unwrap()),
  model: optional(changeSchema.shape.model.unwrap()),
  author: optional(changeSchema.shape.author.unwrap()),
});
export type TrendsQuery = z.infer<typeof trendsQuerySchema>;

export type Subject = { kind: 'gate' | 'suite'; name: string };

export type TrendsView = Omit<TrendsQuery, 'of' | 'gate' | 'suite'> & {
  subject: Subject;
  /** The period, or where the way back leads from a part of it. */
  days: Days;
};

/** The view of an address; what it does not say is as usual. Without a subject it is of the first that there is; undefined if there is none. */
export function viewOf(query: TrendsQuery, subjects: readonly Subject[]): TrendsView | undefined {
  const { of, gate, suite, days = daysDefault, ...rest } = query;
  const subject = chosen({ of, gate, suite }) ?? subjects[0];
  return subject === undefined ? undefined : { ...rest, days, subject };
}

function chosen({ of, gate, suite }: Pick<TrendsQuery, 'of' | 'gate' | 'suite'>): Subject | undefined {
  const [, kind, name] = /^(gate|suite):(.*)$/.exec(of ?? '') ?? [];
  const named = kind === undefined ? undefined : slugSchema.safeParse(name);
  if (named?.success === true) return { kind: kind === 'gate' ? 'gate' : 'suite', name: named.data };
  if (gate !== undefined) return { kind: 'gate', name: gate };
  return suite === undefined ? undefined : { kind: 'suite', name: suite };
}

/** Whether the view is of a part that somebody has chosen. */
export function isPart({ from, to }: TrendsView): boolean {
  return from !== undefined || to !== undefined;
}

const dayMs = 86_400_000;

/** The question to the API, without a group: that is asked besides. */
export function questionOf(view: TrendsView, now: Date): Omit<TrendQuestion, 'by'> {
  const { subject, days, from, to, bucket, agent, model, author } = view;
  // The whole of today, and as many days before as makes that many.
  const midnight = Math.floor(now.getTime() / dayMs) * dayMs;
  const first = isPart(view) ? from : new Date(midnight - (days - 1) * dayMs).toISOString();
  const until = to === undefined ? now.toISOString() : endOf(to);
  const since =
    first === undefined ? new Date(Date.parse(until) - days * dayMs).toISOString() : beginOf(first);
  const spanMs = Date.parse(until) - Date.parse(since);
  return {
    [subject.kind]: subject.name,
    from: since,
    ...(to === undefined ? {} : { to: until }),
    bucket: bucket ?? fittingBucket(spanMs, view.by !== undefined),
    ...{ agent, model, author },
  };
}

const isDay = (moment: string) => moment.length === 10;

function beginOf(moment: string): string {
  return isDay(moment) ? `${moment}T00:00:00.000Z` : moment;
}

/** A day that a period goes to is in it. */
function endOf(moment: string): string {
  return isDay(moment) ? new Date(Date.parse(moment) + dayMs).toISOString() : moment;
}

/** What stands in an address, in this order. */
const fields = ['days', 'from', 'to', 'bucket', 'by', 'agent', 'model', 'author'] as const;

/** The address of this view with some of it changed; undefined takes a field away. */
export function addressOf(
  view: TrendsView,
  change: { [Field in keyof TrendsView]?: TrendsView[Field] | undefined } = {},
  path = '/ui/trends',
): string {
  const { subject, ...rest } = { ...view, ...change };
  const query = new URLSearchParams({ [(subject ?? view.subject).kind]: (subject ?? view.subject).name });
  for (const field of fields) {
    const value = rest[field];
    if (value !== undefined) query.set(field, `${value}`);
  }
  return `${path}?${query}`;
}

/** Whose names a picture by groups shows where no split was asked for. */
export function groupOf({ by }: TrendsView): TrendGroup {
  return by ?? 'agent';
}
