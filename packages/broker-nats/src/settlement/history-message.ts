import {
  decodeBody,
  encodeMsgpack,
  type HistoryRecord,
  MillraceError,
  RUNTIME_VALUES,
  trimError,
} from "@millrace/core";

/** The bytes of a record. An output that can't be kept is left out and said so: the outcome itself must never be lost. */
export function writeHistoryRecord(
  record: HistoryRecord,
  maxBytes: number,
  maxValues: number,
): Uint8Array {
  let dropped: HistoryRecord["outputDropped"] = "too-large";
  try {
    const bytes = encodeMsgpack(record, { maxValues: maxValues + RUNTIME_VALUES, exact: false });
    if (bytes.length <= maxBytes) return bytes;
  } catch (error) {
    if (MillraceError.is(error, "unserializable-payload")) dropped = "unserializable";
    else if (!MillraceError.is(error, "payload-too-large")) throw error;
  }
  const { output: _output, ...rest } = record;
  const smaller = { ...rest, outputDropped: dropped };
  return encodeMsgpack(
    smaller.error === undefined ? smaller : { ...smaller, error: trimError(smaller.error) },
  );
}

/** @returns undefined for bytes that no runtime wrote */
export function readHistoryRecord(bytes: Uint8Array): HistoryRecord | undefined {
  try {
    // A node wrote it, perhaps one that allows more: a record that can't be read would be taken for none.
    const value = decodeBody(bytes, "application/msgpack", Number.POSITIVE_INFINITY);
    if (typeof value !== "object" || value === null) return undefined;
    return "id" in value && "state" in value && "generation" in value
      ? (value as HistoryRecord)
      : undefined;
  } catch {
    return undefined;
  }
}
