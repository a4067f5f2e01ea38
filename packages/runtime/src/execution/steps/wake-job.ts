import { type Broker, type Envelope, type JobRef, readEntry, type SignalRef } from "@millrace/core";
import { awaitedNames, hasCallEnded, isAnswered, takenOf } from "./taken-signals.ts";

type Server = Pick<Broker, "delayed" | "journal" | "signals">;

/**
 * Wakes the job that a signal is for, if it was put aside to wait for it. Another job of its id may
 * wait as well, for a time of its own: it is left where it is.
 *
 * A job is put aside by three writes: what it waits for, its message with the deadline, its record.
 * A signal that is stored before the second finds no job to wake; therefore who puts a job aside
 * looks for its signals once that is confirmed (`wakeIfAnswered`). One that is stored later finds
 * the job here.
 */
export async function wakeForSignal(broker: Server, signal: SignalRef): Promise<void> {
  // What lies in queues isn't searched: it comes to a node, and looks for its signals there.
  for (const envelope of await broker.delayed.of(signal))
    await wakeIfAnswered(broker, envelope, signal.name);
}

/**
 * Wakes a job that was put aside, if a signal has come since it looked.
 *
 * @param only the one name that is looked for. Default: all that the job waits for
 * @returns whether it was there, and was woken
 */
export async function wakeIfAnswered(
  broker: Server,
  { id, queue, createdAt }: Pick<Envelope, keyof JobRef | "createdAt">,
  only?: string,
): Promise<boolean> {
  const stored = await broker.journal.read({ id, queue, createdAt }, { once: true });
  const entries = stored.map(({ data }) => readEntry(data)).filter((one) => one !== undefined);
  const wake = (): Promise<boolean> => broker.delayed.move(id, queue, "now", { createdAt });
  if (hasCallEnded(entries)) return wake();
  for (const name of awaitedNames(entries)) {
    if (only !== undefined && only !== name) continue;
    const signals = await broker.signals.read({ queue, id, name });
    // Repeated by its sender after it was taken: it would take the room of others.
    for (const { sequence } of takenOf(entries, name, signals))
      broker.signals.drop({ queue, id, name }, sequence).catch(() => {});
    if (!isAnswered(entries, name, signals)) continue;
    // Where it isn't there any more, or is due within two seconds, it comes to a node by itself.
    return wake();
  }
  return false;
}
