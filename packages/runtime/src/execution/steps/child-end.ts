import {
  type Broker,
  type ChildEnd,
  type HistoryRecord,
  MAX_JOURNAL_BYTES,
  MillraceError,
  type RecordedError,
  type RunRef,
  writeEntry,
} from "@millrace/core";

interface Written {
  /** Epoch milliseconds. */
  readonly at: number;
  /** What is on record of the run already. */
  readonly bytes: number;
}

/**
 * Writes the end of a called job into the journal of the run that has called it. A second write of
 * it changes nothing.
 */
export async function writeChildEnd(
  { journal }: Pick<Broker, "journal">,
  parent: RunRef,
  record: HistoryRecord,
  { at, bytes }: Written,
): Promise<void> {
  const end = childEndOf(record, at);
  const room = MAX_JOURNAL_BYTES - bytes;
  await journal.write(parent, { name: end.name, n: 0 }, written(end, journal.maxBytes, room));
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

/**
 * A result that no journal takes, or for which the run has no room left, is an error of the call:
 * the job itself has succeeded.
 */
function written(end: ChildEnd, maxBytes: number, room: number): Uint8Array {
  let data: Uint8Array;
  try {
    data = writeEntry(end, maxBytes);
  } catch (cause) {
    if (!MillraceError.is(cause)) throw cause;
    return withoutValue(end, problem(cause.code, cause.message));
  }
  if (data.length <= room) return data;
  const why = `with its result the steps of its caller take more than ${MAX_JOURNAL_BYTES} bytes`;
  const { type, message } = end.error ?? problem("step-too-large", why);
  const bare = withoutValue(end, { type, message });
  // Whoever called it is told of every end; what is no larger than an error is told itself.
  return bare.length < data.length ? bare : data;
}

function withoutValue({ value: _dropped, ...end }: ChildEnd, error: RecordedError): Uint8Array {
  return writeEntry({ ...end, error });
}

function problem(type: string, why: string): RecordedError {
  return { type, message: `The called job is settled, and ${why}.` };
}
