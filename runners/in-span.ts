/**
 * Spans of a score, by OpenTelemetry's API: nothing is done with them unless the service was told where to send them. They say which
 * step took how long and how often; never what it was about.
 */
import { type Attributes, type Span, SpanStatusCode, trace } from '@opentelemetry/api';

const tracer = trace.getTracer('holdback');

/** Does the work in a span. A failure is told by its code alone, because messages may quote what must stay sealed. */
export async function inSpan<Answer>(
  name: string,
  attributes: Attributes,
  work: (span: Span) => Promise<Answer>,
): Promise<Answer> {
  return tracer.startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? `${error.code}` : 'unexpected failure';
      span.setStatus({ code: SpanStatusCode.ERROR, message: code });
      throw error;
    } finally {
      span.end();
    }
  });
}
