import {
  diag,
  ProxyTracerProvider,
  trace,
  type Tracer,
  type TracerProvider,
} from "@opentelemetry/api";
import { recordError } from "@millrace/core";

const NAME = "millrace";

/** A provider makes a string and looks in a map each time. */
const known = new WeakMap<TracerProvider, Tracer>();

/**
 * The tracer to use; undefined where no SDK is registered, so that nothing is prepared for nobody.
 * Asked each time: an SDK may be started after the client was made.
 */
export function tracerOf(given: TracerProvider | undefined): Tracer | undefined {
  const provider = given ?? trace.getTracerProvider();
  const proxy = provider instanceof ProxyTracerProvider ? provider : undefined;
  const own = proxy?.getDelegate() ?? provider;
  let tracer = known.get(own);
  if (tracer === undefined) {
    tracer = proxy === undefined ? own.getTracer(NAME) : proxy.getDelegateTracer(NAME);
    if (tracer !== undefined) known.set(own, tracer);
  }
  return tracer;
}

/** Whether an SDK is registered in this process. */
export function hasSdk(): boolean {
  return tracerOf(undefined) !== undefined;
}

/**
 * Has everything exported that has ended. A provider that can't do that holds nothing back, and a
 * collector that is gone is no trouble of a node's.
 */
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
