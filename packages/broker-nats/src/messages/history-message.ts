import {
  decodeBody,
  encodeMsgpack,
  type HistoryRecord,
  MillraceError,
  RUNTIME_VALUES,
  trimError,
  unserializable,
} from "@millrace/core";

/**
 * The bytes of a record. The outcome itself must never be lost, so what can be spared is left out
 * until it fits, and said so: first the names of the children and of what follows, then the output,
 * then long texts. The output goes later, because who completes a chain after a crash reads it
 * here.
 */
export function writeHistoryRecord(
  record: HistoryRecord,
  maxBytes: number,
  maxValues: number,
): Uint8Array {
  const nameless = withoutNames(record);
  let dropped: Pick<HistoryRecord, "outputDropped" | "reason"> = { outputDropped: "too-large" };
  for (const candidate of nameless === record ? [record] : [record, nameless]) {
    try {
      const limits = { maxValues: maxValues + RUNTIME_VALUES, exact: false, wellFormed: true };
      const bytes = encodeMsgpack(candidate, limits);
      if (bytes.length <= maxBytes) return bytes;
    } catch (error) {
      if (MillraceError.is(error, "unserializable-payload")) dropped = unserializable(error);
      else if (!MillraceError.is(error, "payload-too-large")) throw error;
    }
  }
  const { output, ...rest } = nameless;
  return encodeMsgpack(brief(output === undefined ? rest : { ...rest, ...dropped }));
}

function withoutNames(record: HistoryRecord): HistoryRecord {
  const { children, next } = record;
  if (children === undefined && next === undefined) return record;
  return {
    ...record,
    ...(children === undefined ? {} : { children: { count: children.count, jobs: [] } }),
    ...(next === undefined ? {} : { next: { count: next.count, jobs: [] } }),
  };
}

/**
 * Texts of a record are bounded where they come from; a server with the smallest `max_payload`
 * takes this.
 */
const BRIEF = 128;

function brief(record: HistoryRecord): HistoryRecord {
  return {
    ...record,
    ...(record.error === undefined ? {} : { error: trimError(record.error) }),
    ...(record.reason === undefined ? {} : { reason: record.reason.slice(0, BRIEF) }),
  };
}

/** @returns undefined for bytes that no runtime wrote */
export function readHistoryRecord(bytes: Uint8Array): HistoryRecord | undefined {
  try {
    // A node wrote it, perhaps one that allows more: a record that can't be read would be taken for
    // none.
    const value = decodeBody(bytes, "application/msgpack", Number.POSITIVE_INFINITY);
    if (typeof value !== "object" || value === null) return undefined;
    return "id" in value && "state" in value && "generation" in value
      ? (value as HistoryRecord)
      : undefined;
  } catch {
    return undefined;
  }
}
