import { type Broker, type HistoryRecord, invokedBy, traceHeaders } from "@millrace/core";
import type { Settled, SettlementHook } from "../execution/settle/settlement-hook.ts";
import { endMessage } from "./end-message.ts";

type Server = Pick<Broker, "history" | "inbox">;

/**
 * Tells a durable machine how a job that it has invoked has ended, whatever its end and on
 * whichever node. It can't be spared, because nothing repeats it. Told twice it is heard once.
 */
export function invokedHook(broker: Server): SettlementHook {
  return {
    concerns: (envelope, { state }) => state !== "requeued" && invokedBy(envelope) !== undefined,
    beforeAck: async (settled) => {
      const { id, headers } = settled.envelope;
      const machine = invokedBy(settled.envelope);
      const record = await endOf(broker, settled);
      if (machine === undefined || record === undefined) return;
      await broker.inbox.tell(machine, endMessage(id, record), traceHeaders(headers));
    },
  };
}

/** Of a recalled job the end that an earlier holder has recorded. */
async function endOf(
  { history }: Pick<Server, "history">,
  { envelope, settlement }: Settled,
): Promise<HistoryRecord | undefined> {
  for (const step of settlement.steps) if (step.do === "record") return step.record;
  return (await history.last(envelope, "ended"))?.record;
}
