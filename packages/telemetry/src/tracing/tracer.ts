import {
  diag,
  ProxyTracerProvider,
  trace,
  type Tracer,
  type TracerProvider,
} from "@opentelemetry/api";
import { recordError } from "@millrace/core";

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

/** Whether an SDK is registered in this process. */
export function hasSdk(): boolean {
  return tracerOf(undefined) !== undefined;
}

/** Has everything exported that has ended. A provider that can't do that holds nothing back, and a collector that is gone is no trouble of a node's. */
export async function flush(given: TracerProvider | undefined): Promise<void> {
  const provider = given ?? trace.getTracerProvider();
  const own = provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider;
  if (!("forceFlush" in own) || typeof own.forceFlush !== "function") return;
  try {
    await own.forceFlush();
  } catch (error) {
    diag.warn(`millrace: the last spans could not be exported: ${recordError(error).message}`);
  }
}
