/**
 * The trace of a score: it has the score's own id, so that every node adds its spans to it without being told, and who knows the score
 * finds it. What a caller sends as `traceparent` is linked, and nothing more: a caller who could choose the trace could write into
 * somebody else's, or have its own score left out.
 */
import { createHash } from 'node:crypto';
import { context, isSpanContextValid, type Link, ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import { inSpan } from '../runners/in-span.ts';
import type { ScoreRecord } from './history.ts';

const tracer = trace.getTracer('holdback');

/** Where the spans of a score belong: the trace whose id is the score's, below a span that stands for the attempt. */
function contextOf(score: string) {
  const spanId = createHash('sha256').update(score).digest('hex').slice(0, 16);
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: score.replaceAll('-', ''),
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
}

/** The scoring of an attempt, with how long it waited for its turn. */
export async function traceScore<Answer>(
  { id, gate, requestedAt }: ScoreRecord,
  work: () => Promise<Answer>,
): Promise<Answer> {
  const attributes = { 'holdback.score': id, 'holdback.gate': gate };
  return context.with(contextOf(id), () =>
    inSpan('score', attributes, async () => {
      tracer.startSpan('queue', { startTime: requestedAt }).end();
      return work();
    }),
  );
}

/** That an attempt was accepted, linked to its caller's own trace. */
export function traceAccepted({ id, gate, requestedAt }: ScoreRecord, traceparent: string | undefined): void {
  const attributes = { 'holdback.score': id, 'holdback.gate': gate };
  const links = linksOf(traceparent);
  tracer.startSpan('accept', { attributes, links, startTime: requestedAt }, contextOf(id)).end();
}

/** W3C Trace Context, version 00. https://www.w3.org/TR/trace-context/#traceparent-header */
function linksOf(traceparent: string | undefined): Link[] {
  const [, traceId = '', spanId = ''] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(traceparent ?? '') ?? [];
  const link = { traceId, spanId, traceFlags: TraceFlags.NONE, isRemote: true };
  return isSpanContextValid(link) ? [{ context: link }] : [];
}
