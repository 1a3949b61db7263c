/** Sends spans to an OpenTelemetry collector. Loaded only where there is one: it is a megabyte of code. */
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

/** So many spans wait at most; more are dropped, and no score waits for a collector. */
const waitingMax = 4_096;
/** What is sent lies for so long at most, and a collector has so long to take it, in milliseconds. */
const sendEveryMs = 1_000;
const sendMsMax = 5_000;

export type Collector = {
  /** The address as OTEL_EXPORTER_OTLP_ENDPOINT gives it, without `/v1/traces`. */
  endpoint: string;
  headers: Record<string, string>;
  serviceName: string;
};

/** Starts sending. Answers how to end it: what was not sent yet is sent. */
export function startTracing(
  { endpoint, headers, serviceName }: Collector,
  version: string,
): () => Promise<void> {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers,
    timeoutMillis: sendMsMax,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName, 'service.version': version }),
    sampler: new AlwaysOnSampler(),
    spanProcessors: [
      new BatchSpanProcessor({ exporter, maxQueueSize: waitingMax, scheduledDelayMillis: sendEveryMs }),
    ],
  });
  const contexts = new AsyncLocalStorageContextManager();
  context.setGlobalContextManager(contexts.enable());
  trace.setGlobalTracerProvider(provider);
  return async () => {
    trace.disable();
    context.disable();
    await provider.shutdown().catch(() => {});
  };
}
