import {
  type Broker,
  type HistoryRecord,
  invokedBy,
  isUnfit,
  type MachineRef,
  traceHeaders,
} from "@millrace/core";
import { recordedEnd, type SettlementHook } from "../execution/settle/settlement-hook.ts";
import { endMessage, largeEndMessage } from "./end-message.ts";

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
      await tellEnd(broker, machine, { ...record, id }, traceHeaders(headers));
    },
  };
}

/**
 * What the server takes is its operator's to say, and a trace counts there: an end that is too
 * large goes without the trace, then without the result. A holder that kept on would keep its place
 * in the queue, while the machine waits for ever.
 */
async function tellEnd(
  { inbox }: Pick<Broker, "inbox">,
  machine: MachineRef,
  record: HistoryRecord,
  trace: ReturnType<typeof traceHeaders>,
): Promise<void> {
  const end = endMessage(record.id, record);
  const bare = largeEndMessage(record.id, "its result is larger than the server's messages");
  if (await fits(() => inbox.tell(machine, end, trace))) return;
  if (trace !== undefined && (await fits(() => inbox.tell(machine, end)))) return;
  await inbox.tell(machine, record.state === "succeeded" ? bare : end);
}

async function fits(tell: () => Promise<void>): Promise<boolean> {
  try {
    await tell();
    return true;
  } catch (error) {
    if (!isUnfit(error)) throw error;
    return false;
  }
}
