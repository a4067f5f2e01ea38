import {
  type Clock,
  type EnvelopeSource,
  type Instrumentation,
  newJobId,
  optionNames,
  refuseUnknown,
  requireCount,
  systemClock,
} from "@millrace/core";

/** What an outbox adds to the jobs that it writes, and how large they may be. */
export interface OutboxOptions {
  readonly clock?: Clock;
  /** Adds the trace that is under way to each job: `telemetry()` of `millrace/telemetry`. */
  readonly instrumentation?: Instrumentation;
  /**
   * The largest job, bytes, headers included. Default: what a server lets through whose
   * `max_payload` is 1 MiB, the default of NATS.
   */
  readonly maxMessageBytes?: number;
}

const NAMES = optionNames<OutboxOptions>({
  ...{ clock: true, instrumentation: true, maxMessageBytes: true },
});

/**
 * What makes the jobs of an outbox, once its options were looked at.
 *
 * @throws MillraceError `invalid-option`
 */
export function envelopeSource(options: OutboxOptions): EnvelopeSource {
  refuseUnknown(options, NAMES, "an outbox");
  const { clock = systemClock, maxMessageBytes } = options;
  if (maxMessageBytes !== undefined) requireCount(maxMessageBytes, "maxMessageBytes");
  return { now: () => clock.now(), newId: () => newJobId(clock.now()) };
}
