import {
  type Broker,
  type GaugeName,
  type Logger,
  type MachineBacklog,
  type MetricsCollector,
  recordError,
} from "@millrace/core";

export interface MachineReadingsHost {
  readonly broker: Pick<Broker, "inbox">;
  readonly metrics: MetricsCollector;
  readonly log: Logger;
}

const GAUGES = {
  millrace_machine_waiting: ({ waiting }) => waiting,
  millrace_machine_oldest_age_seconds: ({ oldestAgeMs }) => oldestAgeMs / 1_000,
} as const satisfies Partial<Record<GaugeName, (backlog: MachineBacklog) => number>>;
const GAUGE_NAMES = Object.keys(GAUGES) as (keyof typeof GAUGES)[];

/** What waits for machines, as whoever reads the queues tells it. */
export class MachineReadings {
  readonly #host: MachineReadingsHost;
  /** The machines whose gauges are set. */
  #told = new Set<string>();
  /** Failed readings since the last that succeeded. The first is worth a warning. */
  #failures = 0;

  constructor(host: MachineReadingsHost) {
    this.#host = host;
  }

  /**
   * @param isOver asked after a failure: nobody wants to know of it any more
   * @returns undefined where it can't be read, which says nothing of the queues
   */
  async read(isOver: () => boolean): Promise<readonly MachineBacklog[] | undefined> {
    const { broker, log, metrics } = this.#host;
    try {
      const backlogs = await broker.inbox.backlogs();
      this.#failures = 0;
      return backlogs;
    } catch (error) {
      if (isOver()) return undefined;
      metrics.increment("millrace_queue_readings_failed_total", {});
      this.#failures += 1;
      log[this.#failures === 1 ? "warn" : "debug"](
        { error: recordError(error) },
        "what waits for machines could not be read for its metrics",
      );
      return undefined;
    }
  }

  /** One for which nothing waits any more is told so; where it could not be read, nothing is. */
  tell(backlogs: readonly MachineBacklog[] | undefined): void {
    if (backlogs === undefined) return this.forget();
    const { metrics } = this.#host;
    const waiting = new Map(backlogs.map((backlog) => [backlog.machine, backlog]));
    this.#told = new Set([...this.#told, ...waiting.keys()]);
    for (const machine of this.#told) {
      const backlog = waiting.get(machine) ?? { machine, waiting: 0, oldestAgeMs: 0 };
      for (const name of GAUGE_NAMES) metrics.gauge(name, { machine }, GAUGES[name](backlog));
    }
  }

  forget(): void {
    const { metrics } = this.#host;
    for (const machine of this.#told)
      for (const name of GAUGE_NAMES) metrics.gauge(name, { machine }, undefined);
    this.#told = new Set();
  }
}
