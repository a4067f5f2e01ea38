import { checkInput, recordError } from "@millrace/core";
import { tellUnserved } from "./tell-unserved.ts";
import { invokedQueues } from "../registry/collect-machines.ts";
import { outcomeQueues } from "../registry/outcome-targets.ts";
import type { Service } from "../service/service.ts";
import { connectionLog } from "./connection-log.ts";
import type { NodeBase } from "./node-base.ts";
import { closeTimeMs, type NodeDuties } from "./node-machine.ts";
import type { NodeServices } from "./node-services.ts";
import type { NodeWork } from "./node-work.ts";

/** Everything of a node that is opened when it starts, and closed when it stops. */
export interface NodeParts {
  readonly base: NodeBase;
  readonly work: NodeWork;
  readonly services: NodeServices;
  readonly presence: Service;
}

/** A node's machine decides when each of these is done; what they do is said here. */
export class NodeLife {
  readonly #parts: NodeParts;
  /** Set while the node is between opening and closing. */
  #unwatchStatus = (): void => {};
  /** Why the node never ran; set by the machine's `onFailure` before it closes. */
  failure: Error | undefined;

  constructor(parts: NodeParts) {
    this.#parts = parts;
  }

  get duties(): NodeDuties {
    const { base, work, services } = this.#parts;
    const { workers } = work;
    return {
      graceMs: base.config.graceMs,
      open: (signal) => this.#open(signal),
      stopPulling: () => {
        for (const worker of workers) void worker.stopPulling();
        // Another node can lead while this one lets its jobs end.
        void services.scheduler.stop();
      },
      idle: async () => {
        await Promise.all(workers.map((worker) => worker.stopPulling()));
        await Promise.all(workers.map((worker) => worker.jobs.idle()));
      },
      abortAll: () => {
        for (const { abort } of workers.flatMap(({ jobs }) => [...jobs.all]))
          abort.abort("shutdown", "The node is stopping and the grace has passed.");
      },
      handBackAll: () => {
        for (const worker of workers) void worker.handBackAll();
      },
      close: () => this.#close(),
      onFailure: (error) => {
        this.failure ??= error instanceof Error ? error : new Error(String(error));
        base.log.error({ error: recordError(error) }, "the node failed");
      },
    };
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { base, work, services, presence } = this.#parts;
    const { config, clock, log, events } = base;
    const { broker, queues } = config;
    tellUnserved(base);
    const tell = connectionLog(log, clock);
    this.#unwatchStatus = broker.onStatus((status) => {
      tell(status);
      if (status !== "closed") events.emit("broker.status", { status });
    });
    await Promise.all(config.schedules.map((schedule) => checkInput(schedule)));
    // Who is told of an end may be deployed later: until then it waits in its queue.
    const needed = [
      ...new Set([
        ...base.queues,
        ...outcomeQueues(base.registry.jobs),
        ...invokedQueues(config.machines),
      ]),
    ];
    await Promise.all(
      needed.map((queue) => broker.queues.ensure(queue, queues.get(queue)?.settings)),
    );
    if (signal.aborted) return;
    await Promise.all(services.watches.map((watch) => watch.start()));
    await Promise.all(needed.map((queue) => this.#keepClosed(queue)));
    if (signal.aborted) return;
    // Nobody waits for it: a node that may not say that it is there works all the same.
    if (base.isFleet) void presence.start();
    await Promise.all([...work.workers, ...services.others].map((one) => one.start()));
  }

  /** A queue that was removed and made anew is open again, whatever was said of it. */
  async #keepClosed(queue: string): Promise<void> {
    const { config, controls } = this.#parts.base;
    if (controls.of(queue).closed !== undefined)
      await config.broker.queues.setIntake(queue, "closed");
  }

  async #close(): Promise<void> {
    const { base, work, services, presence } = this.#parts;
    const { config, log } = base;
    const { workers } = work;
    this.#unwatchStatus();
    const left = workers.flatMap(({ jobs }) => [...jobs.all]);
    for (const job of left) job.abandon();
    if (left.length > 0)
      log.warn(
        { jobs: left.length },
        "stopping with jobs that could not be handed back; they return when their leases have run out",
      );
    // Side by side, so that one that does not end, or fails, keeps no other from ending.
    const ended = await Promise.allSettled([
      ...workers.map((worker) => worker.stopPulling()),
      ...[...services.watches, ...services.others, presence].map((one) => one.stop()),
      work.unique.sweeper.stop(),
      work.limits.close(),
      ...workers.map((worker) => worker.close()),
      work.threads.close(),
      config.executionLog.close(closeTimeMs(config.graceMs)),
    ]);
    for (const one of ended)
      if (one.status === "rejected")
        log.error({ error: recordError(one.reason) }, "a part of the node did not end well");
    work.failures.close();
    void work.looks.stop();
    // The last settlements have told of themselves. The machine waits for this no longer than for
    // the rest.
    await config.instrumentation?.shutdown().catch(base.instrumentationFailed);
  }
}
