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
  const tell = teller(broker, clock);
  return {
    concerns: (envelope, { state }) => state !== "requeued" && calledBy(envelope) !== undefined,
    beforeAck: async (settled) => {
      const parent = calledBy(settled.envelope);
      const record = await recordedEnd(broker, settled);
      if (parent === undefined || record === undefined) return;
      if (await tell(parent, record)) return;
      const { id, queue } = record;
      looks.later(`${queue} ${id} called`, async () => {
        // Without what it came to, which may be large, as long as nobody is known to wait for it.
        if ((await bytesIfAwaited(broker, parent, id)) === undefined) return;
        const end = await broker.history.last({ id, queue }, "ended");
        if (end !== undefined) await tell(parent, end.record);
      });
    },
  };
}

/** @returns whether the job waited for it, and was woken */
type Tell = (parent: CalledBy, record: HistoryRecord) => Promise<boolean>;

/**
 * Of one job one end after the other: each reads all that is on record of it, and what is written
 * side by side is counted by nobody.
 */
function teller(broker: Server, clock: Clock): Tell {
  const told = new Map<string, Promise<unknown>>();
  const tell: Tell = async (parent, record) => {
    const bytes = await bytesIfAwaited(broker, parent, record.id);
    if (bytes === undefined) return false;
    await writeChildEnd(broker, parent, record, { at: clock.now(), bytes });
    return wakeRun(broker, parent);
  };
  return async (parent, record) => {
    const key = `${parent.queue}/${parent.id}/${parent.createdAt}`;
    const before = told.get(key);
    const telling = (async () => {
      await before?.catch(() => {});
      return tell(parent, record);
    })();
    told.set(key, telling);
    try {
      return await telling;
    } finally {
      if (told.get(key) === telling) told.delete(key);
    }
  };
}

/**
 * A job that doesn't wait for it any more has ended, or has given it up.
 *
 * @returns what is on record of the job, in bytes; undefined where it doesn't wait
 */
async function bytesIfAwaited(
  broker: Server,
  parent: CalledBy,
  child: string,
): Promise<number | undefined> {
  const stored = await broker.journal.read(parent, { once: true });
  const isAwaited = stored.some(({ data }) => {
    const one = readEntry(data);
    return one?.kind === "call" && one.state === "calling" && one.child.id === child;
  });
  return isAwaited ? stored.reduce((sum, { data }) => sum + data.length, 0) : undefined;
}
