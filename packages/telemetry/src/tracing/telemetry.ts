import { context, trace } from "@opentelemetry/api";
import { type Instrumentation, threadFile } from "@millrace/core";
import { AttemptSpan } from "./attempt-span.ts";
import { ATTR } from "./attributes.ts";
import { injected } from "./carrier.ts";
import { endedSpan } from "./ended-span.ts";
import { telemetryConfig, type TelemetryOptions } from "./options.ts";
import { createdHeaders, publishMany, publishOne } from "./publish.ts";
import { flush, tracerOf } from "./tracer.ts";
import { transitionSpan } from "./transition-span.ts";

/**
 * Traces jobs with OpenTelemetry, from the request that enqueues one to its last attempt. Takes
 * whatever SDK the application has registered; where it has none, nothing is made and nothing is
 * sent.
 *
 * @throws MillraceError `invalid-option`, `invalid-duration`
 * @example
 * const millrace = await connect({ servers, instrumentation: telemetry() });
 * const node = await createNode({ servers, jobs, instrumentation: telemetry() });
 */
export function telemetry(options: TelemetryOptions = {}): Instrumentation {
  const config = telemetryConfig(options);
  const tracer = (): ReturnType<typeof tracerOf> => tracerOf(config.tracerProvider);
  return {
    publish: (publication, send) => {
      const { envelopes } = publication;
      const [first] = envelopes;
      const own = tracer();
      if (own === undefined || first === undefined) return send(envelopes);
      return envelopes.length === 1
        ? publishOne(own, config, publication, first, send)
        : publishMany(own, config, publication, send);
    },
    created: (created) => {
      const own = tracer();
      return own === undefined ? created.headers : createdHeaders(own, config, created);
    },
    attempt: (started) => {
      const own = tracer();
      return own === undefined ? undefined : new AttemptSpan(own, config, started);
    },
    ended: (input, settlement) => {
      const own = tracer();
      if (own !== undefined) endedSpan(own, config, input, settlement);
    },
    sending: () =>
      tracer() === undefined || config.propagation === "none" ? {} : injected({}, context.active()),
    transition: (transition, effects) => {
      const own = tracer();
      return own === undefined ? effects() : transitionSpan(own, config, transition, effects);
    },
    lockWaited: ({ name, waitedMs, token }) =>
      void trace.getActiveSpan()?.addEvent(token === undefined ? "lock.busy" : "lock.taken", {
        [ATTR.lockName]: name,
        [ATTR.lockWaitMs]: waitedMs,
        ...(token === undefined ? {} : { [ATTR.lockToken]: token }),
      }),
    shutdown: () => flush(config.tracerProvider),
    threadModule: threadFile(import.meta.url, "thread-tracing").href,
  };
}
