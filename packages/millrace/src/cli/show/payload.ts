import { decodeBody, type DeadLetter, type HistoryRecord } from "@millrace/core";
import { mask } from "@millrace/telemetry/masking";

/** Shows a user's value as it is, or masked. */
export type ShowValue = (value: unknown) => unknown;

export function showValue(unmasked: boolean | undefined): ShowValue {
  return unmasked === true ? readable : mask;
}

/** Bytes have no form in JSON: they are shown by their length, as masking does. */
function readable(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (Array.isArray(value)) return value.map(readable);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, readable(item)]));
}

/** A record for showing: what the handler returned may hold secrets. */
export function shownRecord(record: HistoryRecord, show: ShowValue): HistoryRecord {
  return record.output === undefined ? record : { ...record, output: show(record.output) };
}

/** The payload in a letter's bytes, or why there is none. */
export function payloadOf(
  letter: DeadLetter,
  show: ShowValue,
): { readonly payload: unknown } | { readonly unreadable: string } {
  try {
    const body = decodeBody(letter.body, letter.headers["content-type"]);
    if (typeof body !== "object" || body === null || Array.isArray(body))
      return { unreadable: "The body is no map." };
    return { payload: show((body as { readonly payload?: unknown }).payload ?? null) };
  } catch (error) {
    return { unreadable: error instanceof Error ? error.message : String(error) };
  }
}
