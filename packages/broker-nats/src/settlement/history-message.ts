import {
  decodeBody,
  encodeMsgpack,
  type HistoryRecord,
  MillraceError,
  trimError,
} from "@millrace/core";

/** The bytes of a record. An output that can't be kept is left out and said so: the outcome itself must never be lost. */
export function writeHistoryRecord(record: HistoryRecord, maxBytes: number): Uint8Array {
  let bytes: Uint8Array | undefined;
  try {
    bytes = encodeMsgpack(record);
  } catch (error) {
    if (!MillraceError.is(error, "unserializable-payload")) throw error;
  }
  if (bytes !== undefined && bytes.length <= maxBytes) return bytes;
  const { output: _output, ...rest } = record;
  const smaller = {
    ...rest,
    outputDropped: bytes === undefined ? "unserializable" : "too-large",
  } as const;
  return encodeMsgpack(
    smaller.error === undefined ? smaller : { ...smaller, error: trimError(smaller.error) },
  );
}

/** @returns undefined for bytes that no runtime wrote */
export function readHistoryRecord(bytes: Uint8Array): HistoryRecord | undefined {
  try {
    const value = decodeBody(bytes, "application/msgpack");
    if (typeof value !== "object" || value === null) return undefined;
    return "id" in value && "state" in value && "generation" in value
      ? (value as HistoryRecord)
      : undefined;
  } catch {
    return undefined;
  }
}
