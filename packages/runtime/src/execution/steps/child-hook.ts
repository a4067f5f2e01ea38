import {
  type Broker,
  calledBy,
  type CalledBy,
  type Clock,
  type HistoryRecord,
  readEntry,
  type SecondLooks,
} from "@millrace/core";
import { recordedEnd, type SettlementHook } from "../settle/settlement-hook.ts";
import { writeChildEnd } from "./child-end.ts";
import { wakeRun } from "./wake-job.ts";

type Server = Pick<Broker, "delayed" | "history" | "journal" | "signals">;

/**
 * Tells a job whose step has called another how that one has ended, whatever its end: its journal
 * first, then the job is woken. It can't be spared: nobody else tells it.
 */
export function childHook(broker: Server, clock: Clock, looks: SecondLooks): SettlementHook {
  return {
    concerns: (envelope, { state }) => state !== "requeued" && calledBy(envelope) !== undefined,
    beforeAck: async (settled) => {
      const parent = calledBy(settled.envelope);
      const record = await recordedEnd(broker, settled);
      if (parent === undefined || record === undefined) return;
      if (await tell(broker, parent, record, clock.now())) return;
      const { id, queue } = record;
      looks.later(`${queue} ${id} called`, async () => {
        // Without what it came to, which may be large, as long as nobody is known to wait for it.
        if (!(await isAwaited(broker, parent, id))) return;
        const end = await broker.history.last({ id, queue }, "ended");
        if (end !== undefined) await tell(broker, parent, end.record, clock.now());
      });
    },
  };
}

/** @returns whether the job waited for it, and was woken */
async function tell(
  broker: Server,
  parent: CalledBy,
  record: HistoryRecord,
  at: number,
): Promise<boolean> {
  if (!(await isAwaited(broker, parent, record.id))) return false;
  await writeChildEnd(broker, parent, record, at);
  return wakeRun(broker, parent);
}

/** A job that doesn't wait for it any more has ended, or has given it up. */
async function isAwaited(broker: Server, parent: CalledBy, child: string): Promise<boolean> {
  const stored = await broker.journal.read(parent, { once: true });
  return stored
    .map(({ data }) => readEntry(data))
    .some((one) => one?.kind === "call" && one.state === "calling" && one.child.id === child);
}
