import {
  type Broker,
  type ChildEnd,
  type HistoryRecord,
  MillraceError,
  type RecordedError,
  type RunRef,
  writeEntry,
} from "@millrace/core";

/**
 * Writes the end of a called job into the journal of the run that has called it. A second write of
 * it changes nothing.
 *
 * @param at epoch milliseconds
 */
export async function writeChildEnd(
  { journal }: Pick<Broker, "journal">,
  parent: RunRef,
  record: HistoryRecord,
  at: number,
): Promise<void> {
  const end = childEndOf(record, at);
  await journal.write(parent, { name: end.name, n: 0 }, written(end, journal.maxBytes));
}

function childEndOf(
  { id, state, output, outputDropped, error, reason }: HistoryRecord,
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
function written(end: ChildEnd, maxBytes: number): Uint8Array {
  try {
    return writeEntry(end, maxBytes);
  } catch (cause) {
    if (!MillraceError.is(cause)) throw cause;
    const { value: _dropped, ...rest } = end;
    return writeEntry({ ...rest, error: problem(cause.code, cause.message) });
  }
}

function problem(type: string, why: string): RecordedError {
  return { type, message: `The called job is settled, and ${why}.` };
}
