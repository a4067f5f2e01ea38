import { type Broker, invokedBy, traceHeaders } from "@millrace/core";
import { recordedEnd, type SettlementHook } from "../execution/settle/settlement-hook.ts";
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
      const record = await recordedEnd(broker, settled);
      if (machine === undefined || record === undefined) return;
      await broker.inbox.tell(machine, endMessage(id, record), traceHeaders(headers));
    },
  };
}
