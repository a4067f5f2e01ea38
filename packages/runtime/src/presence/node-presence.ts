import { hostname } from "node:os";
import { type Clock, type EventBus, recordError, type Stoppable } from "@millrace/core";
import type { NodeConfig } from "../node/node-options.ts";
import type { NodeState } from "../node/node-machine.ts";
import { createService, type Service } from "../service/service.ts";
import type { QueueWorker } from "../worker/queue-worker.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { Presence } from "./presence.ts";
import { processReport } from "./process-report.ts";

/** What the presence sees and moves of its node. */
export interface PresentNode {
  readonly config: NodeConfig;
  /** The node's, which follows the server's. */
  readonly clock: Clock;
  readonly instance: string;
  readonly heartbeats: Heartbeats;
  readonly workers: readonly QueueWorker[];
  readonly events: EventBus;
  readonly state: () => NodeState;
  readonly stop: () => void;
}

/** A node's presence in its fleet, as a service of the node. */
export function nodePresence({
  config,
  clock,
  instance,
  heartbeats,
  workers,
  events,
  state,
  stop,
}: PresentNode): Service {
  const { name, broker, log, random } = config;
  /** Of the first report: by then the server's time is known. */
  let startedAt: number | undefined;
  const host = hostname();
  const presence = new Presence({
    node: name,
    instance,
    broker,
    clock,
    machineNow: () => config.clock.now(),
    log,
    random,
    heartbeats,
    report: () => ({
      host,
      pid: process.pid,
      ...processReport(),
      startedAt: (startedAt ??= clock.now()),
      state: state(),
      ...(config.machines.length === 0
        ? {}
        : { machines: config.machines.map((machine) => machine.name) }),
      queues: workers.map(({ queue, state: worker, slots, used, jobs: { ended }, stuck }) => ({
        queue,
        state: worker,
        slots,
        used,
        ended,
        ...(stuck === undefined ? {} : { stuck: stuck.jobs, stuckBy: stuck.reason }),
      })),
    }),
    obey: async (desired) => {
      await Promise.all(workers.map((worker) => worker.setQuiet(desired === "quiet")));
    },
    stop,
  });
  return createService({
    clock,
    open: async (): Promise<Stoppable> => {
      const opened = await presence.open();
      // What closes says goodbye next, and has little time left for it.
      const unlisten = events.on("node.state", ({ state: now }) => {
        if (now !== "closing") presence.changed();
      });
      return {
        stop: () => {
          unlisten();
          return opened.stop();
        },
      };
    },
    retryMs: RETRY_MS,
    onError: (error) =>
      log.warn(
        { node: name, error: recordError(error) },
        "the node can't say that it is there, and hears no orders; trying again",
      ),
  });
}

/** One that is not permitted to would ask for ever. */
const RETRY_MS = 10_000;
