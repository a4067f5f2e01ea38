import {
  type Clock,
  type EnvelopeSource,
  type Instrumentation,
  newJobId,
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

export function envelopeSource({ clock = systemClock }: OutboxOptions): EnvelopeSource {
  return { now: () => clock.now(), newId: () => newJobId(clock.now()) };
}
