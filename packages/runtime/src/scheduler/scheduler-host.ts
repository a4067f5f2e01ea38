import type { Broker, Clock, EventBus, Logger, MetricsCollector } from "@millrace/core";

/** What the scheduler needs of its node. */
export interface SchedulerHost {
  readonly node: string;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly events: EventBus;
  readonly metrics: MetricsCollector;
  readonly log: Logger;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  /** How long a leader that died keeps others from leading, milliseconds. */
  readonly leaseMs: number;
}
