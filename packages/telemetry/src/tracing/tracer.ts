import { ProxyTracerProvider, trace, type Tracer, type TracerProvider } from "@opentelemetry/api";

const NAME = "millrace";

/**
 * The tracer to use; undefined where no SDK is registered, so that nothing is prepared for nobody. Asked each time: an SDK may be started
 * after the client was made.
 */
export function tracerOf(given: TracerProvider | undefined): Tracer | undefined {
  const provider = given ?? trace.getTracerProvider();
  return provider instanceof ProxyTracerProvider
    ? provider.getDelegateTracer(NAME)
    : provider.getTracer(NAME);
}

/** Has everything exported that has ended. A provider that can't do that holds nothing back. */
export async function flush(given: TracerProvider | undefined): Promise<void> {
  const provider = given ?? trace.getTracerProvider();
  const own = provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider;
  if ("forceFlush" in own && typeof own.forceFlush === "function") await own.forceFlush();
}
