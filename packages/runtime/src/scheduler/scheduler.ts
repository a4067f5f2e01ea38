import { recordError, type Schedule, type Stoppable } from "@millrace/core";
import { createActor, waitFor } from "xstate";
import type { HeldLease } from "../lock/lock-request.ts";
import { takeLock } from "../lock/take-lock.ts";
import { xstateClock } from "../service/xstate-clock.ts";
import { Leadership } from "./leadership.ts";
import { putSchedules } from "./put-schedules.ts";
import { ScheduleBook } from "./schedule-book.ts";
import type { SchedulerHost } from "./scheduler-host.ts";
import { schedulerMachine } from "./scheduler-machine.ts";
import { SeenNote } from "./seen-note.ts";

const LEADER_LOCK = "leader/scheduler";

/**
 * Stores a node's own schedules, and leads all schedules of the namespace while no other node does.
 *
 * @throws MillraceError where the broker can't be asked: open it again
 */
export async function openScheduler(
  host: SchedulerHost,
  schedules: readonly Schedule[],
): Promise<Stoppable> {
  const { broker, clock, log } = host;
  await putSchedules(broker, schedules, clock.now());
  const book = await ScheduleBook.open(broker, clock, log);
  const noting = new SeenNote(host, schedules);
  noting.begin();
  let leadership: Leadership | undefined;

  const gaugeLeading = (leading: boolean): void =>
    host.metrics.gauge("millrace_leader", { role: "scheduler" }, leading ? 1 : 0);
  const tellLeading = (lease: HeldLease, leading: boolean): void => {
    gaugeLeading(leading);
    host.events.emit("scheduler.leader", { node: host.node, leading, token: lease.token });
    log.info(
      { token: lease.token },
      leading ? "leading the schedules" : "no longer leading the schedules",
    );
  };
  const actor = createActor(schedulerMachine, {
    clock: xstateClock(clock),
    input: {
      stand: async (signal) => {
        // Those that wait say so too: else nobody says that none leads after a death.
        gaugeLeading(false);
        const lease = await takeLock(
          { locks: broker.locks, clock, log, random: host.random },
          {
            name: LEADER_LOCK,
            holder: host.node,
            leaseMs: host.leaseMs,
            waitMs: Number.POSITIVE_INFINITY,
            signal,
          },
        );
        if (lease === undefined) throw new Error("a wait without end has ended");
        return lease;
      },
      lead: async (lease, over) => {
        leadership = new Leadership(host, book, lease, over);
        tellLeading(lease, true);
        await leadership.start();
      },
      resign: async (lease) => {
        await leadership?.stop();
        leadership = undefined;
        await lease.release();
        tellLeading(lease, false);
      },
      onTrouble: (error) =>
        log.warn({ error: recordError(error) }, "schedules can't be led; trying again"),
    },
  });
  actor.start();
  const wakeUp = (): void => {
    if (book.size > 0) actor.send({ type: "SCHEDULES" });
  };
  book.onChange(wakeUp);
  wakeUp();
  return {
    stop: async () => {
      await noting.stop();
      if (actor.getSnapshot().status === "active") actor.send({ type: "STOP" });
      await waitFor(actor, (snapshot) => snapshot.status !== "active", { timeout: Infinity });
      await book.close();
    },
  };
}
