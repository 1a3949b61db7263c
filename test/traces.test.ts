/** Traces of scores, as a collector receives them: each step where it belongs, and nothing of what was scored. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { scoreRequest, sealSuite, startWorld, type World } from './world.ts';

const canary = 'kanarienvogel';
const caller = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };

const spanSchema = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  startTimeUnixNano: z.coerce.bigint(),
  endTimeUnixNano: z.coerce.bigint(),
  links: z.array(z.object({ traceId: z.string(), spanId: z.string() })).default([]),
});
type Span = z.infer<typeof spanSchema>;

/** OTLP over HTTP, as JSON. */
const exportSchema = z.object({
  resourceSpans: z.array(z.object({ scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })) })),
});

const spans: Span[] = [];
let received = '';
let world: World;
let score: string;

const collector = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  received += `${request.url} ${request.headers['x-collector']} ${text}`;
  for (const { scopeSpans } of exportSchema.parse(JSON.parse(text)).resourceSpans)
    spans.push(...scopeSpans.flatMap((scope) => scope.spans));
  response.setHeader('content-type', 'application/json').end('{}');
});

beforeAll(async () => {
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  const address = collector.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  world = await startWorld({
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-collector=known%20here',
  });
  const cases = [{ name: `${canary}-name`, input: `${canary}-in`, expect: { equals: `${canary}-out` } }];
  await sealSuite(world, 'traced', { cases });
  const ci = await world.as('ci');
  const source = `export const run = (text) => { throw new Error('${canary}' + text) }`;
  const scored = await ci('POST', '/score', scoreRequest('traced', source), {
    traceparent: `00-${caller.traceId}-${caller.spanId}-00`,
    tracestate: `vendor=${canary}`,
    baggage: `key=${canary}`,
  });
  score = `${Reflect.get(Object(scored.json), 'id')}`;
  await ci('POST', '/score', scoreRequest('traced', `${source} // again`), { traceparent: `00-${canary}` });
  // What was not sent yet is sent when the service ends.
  await world.close();
});
afterAll(() => collector.close());

/** The spans of a name in the trace of the score. */
function named(name: string): Span[] {
  return spans.filter((span) => span.traceId === score.replaceAll('-', '') && span.name === name);
}

test('a score is one trace under its own id: queue, host, cases, grader and commit, each where it belongs', () => {
  const [whole] = named('score');
  const [cases] = named('cases');
  for (const name of ['queue', 'cases', 'grader', 'commit']) {
    expect(named(name).length, name).toBeGreaterThan(0);
    for (const span of named(name)) expect(span.parentSpanId, name).toBe(whole?.spanId);
  }
  expect(named('host').map(({ parentSpanId }) => parentSpanId)).toEqual([cases?.spanId]);
  for (const span of spans) expect(span.endTimeUnixNano).toBeGreaterThanOrEqual(span.startTimeUnixNano);
});

test('nothing is sent but the steps of scores', () => {
  const steps = ['accept', 'score', 'queue', 'cases', 'host', 'grader', 'commit'];
  expect(spans.map(({ name }) => name).filter((name) => !steps.includes(name))).toEqual([]);
});

test("a caller's own trace is linked and never joined, and it does not decide whether a score is traced", () => {
  const [accepted] = named('accept');
  expect(accepted?.links).toEqual([expect.objectContaining(caller)]);
  expect(accepted?.parentSpanId).toBe(named('score')[0]?.parentSpanId);
  expect(spans.filter(({ traceId }) => traceId === caller.traceId)).toEqual([]);
  // One that is malformed is no reason to refuse a score.
  expect(spans.filter(({ name }) => name === 'accept').map(({ links }) => links.length)).toEqual([1, 0]);
});

test('what is sent tells nothing of cases, candidates, tokens or what else a caller sends', () => {
  expect(received).toContain('/v1/traces known here');
  expect(received).not.toContain(canary);
  expect(received).not.toContain('hb_');
});
