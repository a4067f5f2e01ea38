import {
  brokerOutlet,
  type MachineDefinition,
  Producer,
  recordError,
  isMeantRun,
  type MeantRun,
  type RunningJob,
  type Stoppable,
} from "@millrace/core";
import { openClockWatch } from "../clock/clock-watch.ts";
import { MachineHost } from "../durable/machine-host.ts";
import { MachineSweeper } from "../durable/machine-sweeper.ts";
import { wakeForSignal } from "../execution/steps/wake-job.ts";
import { nodeReadings } from "../metrics/node-readings.ts";
import { QueueReadings } from "../metrics/queue-readings.ts";
import { openScheduler } from "../scheduler/scheduler.ts";
import { createService, type Service } from "../service/service.ts";
import { watchLoop } from "./loop-watch.ts";
import type { NodeBase } from "./node-base.ts";
import type { NodeWork } from "./node-work.ts";

/** What a node does beside its jobs. */
export interface NodeServices {
  /**
   * Open before any job is taken: one that runs must not have been cancelled before, and is stamped
   * by the server's clock.
   */
  readonly watches: readonly Service[];
  readonly others: readonly Service[];
  /** One of `others`, in a fleet. Stopped early, so that another node can lead. */
  readonly scheduler: Service;
}

interface Opening {
  /** For the log, when it fails. */
  readonly what: string;
  readonly open: () => Promise<Stoppable>;
}

export function nodeServices(base: NodeBase, work: NodeWork): NodeServices {
  const { isFleet, clock, log } = base;
  const service = ({ what, open }: Opening): Service =>
    createService({
      clock,
      open,
      onError: (error) => log.warn({ error: recordError(error) }, `${what} failed; trying again`),
    });
  const scheduler = scheduling(base);
  return {
    watches: watches(base, work).map(service),
    others: [
      ...besides(base, work).map(service),
      ...(isFleet ? [scheduler] : []),
      ...(base.config.metrics.onCollect === undefined ? [] : [service(readings(base, work))]),
    ],
    scheduler,
  };
}

function watches({ config, clock, log, controls }: NodeBase, work: NodeWork): readonly Opening[] {
  const { broker, random } = config;
  return [
    {
      what: "reading the server's clock",
      open: () => openClockWatch({ broker, clock, log, random }),
    },
    { what: "watching for cancellations", open: () => work.cancellations.watch() },
    { what: "watching the queues' controls", open: () => controls.open() },
    { what: "reading what was settled last", open: () => work.recentEnds.open() },
  ];
}

function besides(base: NodeBase, work: NodeWork): readonly Opening[] {
  const { config, clock, log, isFleet } = base;
  const { broker, metrics } = config;
  const runningJob = (id: string, meant: MeantRun): RunningJob | undefined =>
    work.running().find((job) => job.id === id && isMeantRun(job, meant));
  const wakes: Opening = {
    what: "waking jobs for their signals",
    open: () => broker.signals.follow((signal) => wakeForSignal(broker, signal)),
  };
  return [
    { what: "moving due jobs", open: () => broker.moveDueJobs() },
    ...(isFleet ? [{ what: "sweeping gates", open: () => work.limits.sweep() }] : []),
    ...(work.hasSteps ? [wakes] : []),
    ...config.machines.flatMap((definition) => [
      hosting(base, definition),
      sweeping(base, definition),
    ]),
    { what: "answering who runs a job", open: () => broker.answerWhoRuns(runningJob) },
    {
      what: "answering which jobs run",
      open: () => broker.answerListRunning(work.running, config.name),
    },
    {
      what: "watching the event loop",
      open: async () => watchLoop({ clock, log, metrics, running: work.running }),
    },
  ];
}

function hosting(base: NodeBase, definition: MachineDefinition): Opening {
  const { config, clock, log, publishing, instrumentationFailed } = base;
  const { name: node, broker, metrics, instrumentation } = config;
  return {
    what: `hosting the machines ${definition.name}`,
    open: () =>
      MachineHost.open({
        ...{ broker, clock, metrics, log, definition, node },
        ...{ instrumentation, instrumentationFailed },
        producer: new Producer(brokerOutlet(publishing, clock), clock),
      }),
  };
}

function sweeping({ config, clock, log }: NodeBase, definition: MachineDefinition): Opening {
  const { broker, random } = config;
  return {
    what: `sweeping the machines ${definition.name}`,
    open: async () => new MachineSweeper({ broker, clock, log, random, definition }),
  };
}

function scheduling({ config, clock, events, log, publishing }: NodeBase): Service {
  const { name: node, metrics, random, schedulerLeaseMs: leaseMs } = config;
  return createService({
    clock,
    open: () =>
      openScheduler(
        { node, broker: publishing, clock, events, metrics, log, random, leaseMs },
        config.schedules,
      ),
    onError: (error) =>
      log.warn({ error: recordError(error) }, "schedules can't be stored or led; trying again"),
  });
}

function readings({ config, clock, log, isFleet }: NodeBase, { workers }: NodeWork): Opening {
  const { name: node, broker, metrics, random } = config;
  return {
    what: "reading for the metrics",
    open: async () => {
      const queues = isFleet
        ? new QueueReadings({ node, broker, clock, metrics, log, random })
        : undefined;
      return nodeReadings({ broker, clock, metrics, workers, queues });
    },
  };
}
