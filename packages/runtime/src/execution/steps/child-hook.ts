import {
  type Broker,
  calledBy,
  type CalledBy,
  type ChildEnd,
  type Clock,
  type Envelope,
  type HistoryRecord,
  MillraceError,
  readEntry,
  type RecordedError,
  writeEntry,
} from "@millrace/core";
import { recordedEnd, type SettlementHook } from "../settle/settlement-hook.ts";
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
      await tell(broker, parent, childEndOf(settled.envelope, record, clock.now()));
    },
  };
}

async function tell(broker: Server, parent: CalledBy, end: ChildEnd): Promise<void> {
  const stored = await broker.journal.read(parent);
  // Whoever doesn't wait for it any more has ended, or has given it up.
  const isAwaited = stored
    .map(({ data }) => readEntry(data))
    .some((one) => one?.kind === "call" && one.state === "calling" && one.child.id === end.name);
  if (!isAwaited) return;
  await broker.journal.write(parent, { name: end.name, n: 0 }, written(end));
  // Another job of its id has a journal of its own.
  for (const waiting of await broker.delayed.of(parent))
    if (Math.floor(waiting.createdAt) === parent.createdAt) await wakeIfAnswered(broker, waiting);
}

function childEndOf(
  { id }: Envelope,
  { state, output, outputDropped, error, reason }: HistoryRecord,
  at: number,
): ChildEnd {
  const end = { name: id, n: 0, at, life: 0, kind: "child" } as const;
  if (state === "succeeded" && outputDropped === undefined)
    return { ...end, end: "succeeded", ...(output === undefined ? {} : { value: output }) };
  if (state === "succeeded")
    return { ...end, end: state, error: problem("step-too-large", "its result was dropped") };
  const why = error ?? problem(state, reason ?? "it has no error");
  return { ...end, end: state as Exclude<ChildEnd["end"], "succeeded">, error: why };
}

/** A result that no journal takes is an error of the call: the job itself has succeeded. */
function written(end: ChildEnd): Uint8Array {
  try {
    return writeEntry(end);
  } catch (cause) {
    if (!MillraceError.is(cause)) throw cause;
    const { value: _dropped, ...rest } = end;
    return writeEntry({ ...rest, error: problem(cause.code, cause.message) });
  }
}

function problem(type: string, why: string): RecordedError {
  return { type, message: `The called job is settled, and ${why}.` };
}
