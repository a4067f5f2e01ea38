import {
  type Broker,
  type Clock,
  type Logger,
  type MetricsCollector,
  optionNames,
  recordError,
  refuseUnknown,
  type Stoppable,
} from "@millrace/core";
import type { NodeReport, QueueReport } from "../presence/node-report.ts";
import { MachineReadings } from "./machine-readings.ts";
import { QueueGauges } from "./queue-gauges.ts";
import { FRESH_MS, ReadingPace } from "./reading-pace.ts";
import { patientFor } from "./scrape-patience.ts";

/** What is told of a node. */
export interface FleetNode extends Pick<NodeReport, "obeys"> {
  readonly state: NodeReport["state"] | "lost";
  readonly queues: readonly Pick<QueueReport, "queue" | "state">[];
}

export interface FleetReadingsOptions {
  readonly broker: Pick<Broker, "inbox" | "queues">;
  readonly nodes: () => Promise<readonly FleetNode[]>;
  readonly clock: Clock;
  readonly metrics: MetricsCollector;
  readonly log: Logger;
}

const NAMES = optionNames<FleetReadingsOptions>({
  ...{ broker: true, nodes: true, clock: true, metrics: true, log: true },
});
const STATES = ["running", "quiet", "starting", "stopping", "lost"] as const;

/**
 * Tells how full the queues are and which nodes are there, from outside of the fleet: also where
 * there is no node to tell anything. Reads when it is collected from, and asks for no lock: what it
 * tells must not hang on a node that holds one.
 *
 * @throws MillraceError `invalid-option`
 */
export function fleetReadings(options: FleetReadingsOptions): Stoppable {
  refuseUnknown(options, NAMES, "fleetReadings()");
  const { clock, metrics } = options;
  const readings = new FleetReadings(options);
  const stopListening = metrics.onCollect?.(() => patientFor(readings.read(), clock));
  return {
    stop: async () => {
      stopListening?.();
      readings.stop();
    },
  };
}

class FleetReadings {
  readonly #options: FleetReadingsOptions;
  readonly #queues: QueueGauges;
  readonly #machines: MachineReadings;
  readonly #pace = new ReadingPace();
  /** The queues of which it was told how many nodes serve them. */
  #served = new Set<string>();
  #reading: Promise<void> | undefined;
  /** Not before, monotonic, is anything read again. */
  #readAt = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(options: FleetReadingsOptions) {
    this.#options = options;
    this.#queues = new QueueGauges(options.metrics);
    this.#machines = new MachineReadings(options);
  }

  /** Never rejects. Joins a reading that is under way. */
  read(): Promise<void> {
    if (this.#options.clock.monotonic() < this.#readAt) return Promise.resolve();
    this.#reading ??= this.#look().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  stop(): void {
    this.#stopped = true;
    this.#forget();
  }

  async #look(): Promise<void> {
    const { broker, nodes, clock, metrics, log } = this.#options;
    const beganAt = clock.monotonic();
    // Each for itself: where one queue can't be read, what is said of nodes must not end.
    const [snapshots, backlogs, fleet] = await Promise.allSettled([
      broker.queues.list(),
      this.#machines.read(() => this.#stopped),
      nodes(),
    ]);
    if (this.#stopped) return;
    const now = clock.monotonic();
    this.#readAt = now + this.#pace.restAfter(now - beganAt);
    if (snapshots.status === "fulfilled") this.#queues.tell(snapshots.value);
    else this.#queues.forget();
    if (backlogs.status === "fulfilled") this.#machines.tell(backlogs.value);
    else this.#machines.forget();
    const queues =
      snapshots.status === "fulfilled"
        ? new Set(snapshots.value.map(({ queue }) => queue))
        : this.#served;
    if (fleet.status === "fulfilled") this.#tellNodes(fleet.value, queues);
    else this.#forgetNodes();
    for (const part of [snapshots, backlogs, fleet]) {
      if (part.status === "fulfilled") continue;
      this.#readAt = now + FRESH_MS;
      metrics.increment("millrace_queue_readings_failed_total", {});
      log.debug({ error: recordError(part.reason) }, "the fleet could not be read for its metrics");
    }
  }

  #tellNodes(fleet: readonly FleetNode[], queues: ReadonlySet<string>): void {
    const { metrics } = this.#options;
    for (const state of STATES)
      metrics.gauge(
        "millrace_fleet_nodes",
        { state },
        fleet.filter((node) => stateOf(node) === state).length,
      );
    for (const queue of this.#served)
      if (!queues.has(queue)) metrics.gauge("millrace_queue_nodes", { queue }, undefined);
    this.#served = new Set(queues);
    const takers = new Map<string, number>();
    for (const node of fleet.filter((one) => stateOf(one) === "running"))
      for (const queue of new Set(node.queues.filter(isOpen).map((one) => one.queue)))
        takers.set(queue, (takers.get(queue) ?? 0) + 1);
    for (const queue of queues)
      metrics.gauge("millrace_queue_nodes", { queue }, takers.get(queue) ?? 0);
  }

  /** No value is better than an old one. */
  #forget(): void {
    this.#queues.forget();
    this.#machines.forget();
    this.#forgetNodes();
  }

  #forgetNodes(): void {
    const { metrics } = this.#options;
    for (const state of STATES) metrics.gauge("millrace_fleet_nodes", { state }, undefined);
    for (const queue of this.#served) metrics.gauge("millrace_queue_nodes", { queue }, undefined);
    this.#served = new Set();
  }
}

/** Whether the node pulls from it: one that can't yet, or can't any more, tries again and again. */
function isOpen({ state }: FleetNode["queues"][number]): boolean {
  return state === "open";
}

function stateOf({ state, obeys }: FleetNode): (typeof STATES)[number] {
  if (state === "lost") return "lost";
  if (state === "running") return obeys;
  return state === "idle" || state === "starting" ? "starting" : "stopping";
}
