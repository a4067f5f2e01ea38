import {
  type Broker,
  calledBy,
  type CalledBy,
  type Clock,
  type HistoryRecord,
  readEntry,
} from "@millrace/core";
import { recordedEnd, type SettlementHook } from "../settle/settlement-hook.ts";
import { writeChildEnd } from "./child-end.ts";
import { wakeIfAnswered } from "./wake-job.ts";

type Server = Pick<Broker, "delayed" | "history" | "journal" | "signals">;

/**
 * Tells a job whose step has called another how that one has ended, whatever its end: its journal
 * first, then the job is woken. It can't be spared, because nothing repeats it.
 */
export function childHook(broker: Server, clock: Clock): SettlementHook {
  return {
    concerns: (envelope, { state }) => state !== "requeued" && calledBy(envelope) !== undefined,
    beforeAck: async (settled) => {
      const parent = calledBy(settled.envelope);
      const record = await recordedEnd(broker, settled);
      if (parent === undefined || record === undefined) return;
      await tell(broker, parent, record, clock.now());
    },
  };
}

async function tell(
  broker: Server,
  parent: CalledBy,
  record: HistoryRecord,
  at: number,
): Promise<void> {
  const stored = await broker.journal.read(parent, { once: true });
  // Whoever doesn't wait for it any more has ended, or has given it up.
  const isAwaited = stored
    .map(({ data }) => readEntry(data))
    .some((one) => one?.kind === "call" && one.state === "calling" && one.child.id === record.id);
  if (!isAwaited) return;
  await writeChildEnd(broker, parent, record, at);
  // Another job of its id has a journal of its own.
  for (const waiting of await broker.delayed.of(parent))
    if (Math.floor(waiting.createdAt) === parent.createdAt) await wakeIfAnswered(broker, waiting);
}
