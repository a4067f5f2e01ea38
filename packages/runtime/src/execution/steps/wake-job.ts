import {
  type Broker,
  type Envelope,
  type JobRef,
  type JournalEntry,
  readEntry,
  type RunRef,
  type SignalRef,
} from "@millrace/core";
import { placeOf } from "./step-place.ts";
import { awaitedNames, hasCallEnded, isAnswered, takenOf } from "./taken-signals.ts";

type Server = Pick<Broker, "delayed" | "history" | "journal" | "signals">;

/**
 * Wakes the job that a signal is for, if it was put aside to wait for it. Another job of its id may
 * wait as well, for a time of its own: it is left where it is. So is one that waits for a retry:
 * the next attempt finds the signal.
 *
 * A job is put aside by three writes: what it waits for, its message with the deadline, its record.
 * A signal that is stored before the second finds no job to wake; therefore who puts a job aside
 * looks for its signals once that is confirmed (`wakeIfAnswered`). One that is stored later finds
 * the job here.
 */
export async function wakeForSignal(broker: Server, signal: SignalRef): Promise<void> {
  // What lies in queues isn't searched: it comes to a node, and looks for its signals there.
  for (const envelope of await broker.delayed.of(signal))
    if (await waitsForSteps(broker, envelope))
      await wakeIfAnswered(broker, envelope, { only: signal.name });
}

/**
 * Wakes the job of this run, if it was put aside to wait for something that has come since.
 *
 * @returns whether it was there, and was woken
 */
export async function wakeRun(
  broker: Server,
  run: RunRef,
  { unasked }: Pick<Looked, "unasked"> = {},
): Promise<boolean> {
  for (const waiting of await broker.delayed.of(run))
    // Another job of its id has a journal of its own.
    if (Math.floor(waiting.createdAt) === Math.floor(run.createdAt))
      return (await waitsForSteps(broker, waiting)) && wakeIfAnswered(broker, waiting, { unasked });
  return false;
}

/**
 * Whether a job that waits for its time was put aside because its steps wait. Its record says so,
 * which is written after its message: while it is not there, nobody knows better.
 */
async function waitsForSteps(
  { history }: Pick<Broker, "history">,
  { id, queue, createdAt, generation }: Envelope,
): Promise<boolean> {
  const record = (await history.last({ id, queue }, "requeued"))?.record;
  const isIts = record?.createdAt === createdAt && record.generation === generation - 1;
  return !isIts || record.outcome === "snoozed";
}

/** What is looked for. */
interface Looked {
  /** The one name of a signal. Default: all that the job waits for. */
  readonly only?: string;
  /** Places of steps that its last attempt, where that is known, has not asked for. */
  readonly unasked?: ReadonlySet<string> | undefined;
}

/**
 * Wakes a job that was put aside, if a signal has come since it looked.
 *
 * @returns whether it was there, and was woken
 */
export async function wakeIfAnswered(
  broker: Server,
  { id, queue, createdAt }: Pick<Envelope, keyof JobRef | "createdAt">,
  { only, unasked }: Looked = {},
): Promise<boolean> {
  const stored = await broker.journal.read({ id, queue, createdAt }, { once: true });
  const entries = stored
    .map(({ data }) => readEntry(data))
    .filter((one) => one !== undefined && unasked?.has(placeOf(one)) !== true) as JournalEntry[];
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
