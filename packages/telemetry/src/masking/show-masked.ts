import {
  decodeBody,
  type DeadLetter,
  type HistoryRecord,
  type JobLogLine,
  type ProgressReport,
  type RecordedError,
  type RecordedFields,
} from "@millrace/core";
import { type Mask, mask as builtIn } from "./create-mask.ts";

/** Shows a user's value as it is, or masked. */
export type ShowValue = (value: unknown) => unknown;

export function showValue(
  unmasked: boolean | undefined,
  mask: Mask | typeof builtIn = builtIn,
): ShowValue {
  return unmasked === true ? readable : (value) => mask(value);
}

/** Bytes have no form in JSON: they are shown by their length, as masking does. */
function readable(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (Array.isArray(value)) return value.map(readable);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, readable(item)]));
}

/** What becomes of a job, as it is told. */
type Told = Pick<Partial<HistoryRecord>, "output" | "error"> & {
  readonly reason?: string | undefined;
};

/**
 * A record for showing: what the handler returned or threw may hold secrets, and so may the reason
 * it gave.
 */
export function shownRecord<Kept extends Told>(record: Kept, show: ShowValue): Kept {
  const { output, error, reason } = record;
  return {
    ...record,
    ...(output === undefined ? {} : { output: show(output) }),
    ...(error === undefined ? {} : { error: shownError(error, show) }),
    ...(reason === undefined ? {} : { reason: String(show(reason)) }),
  };
}

/** What a job carries, as it is stored. */
interface Cargo {
  readonly payload: unknown;
  readonly headers: Readonly<Record<string, string>>;
  readonly tags?: readonly string[];
}

/** What a job carries, for showing: all of it a producer wrote. */
export function shownCargo({ payload, headers, tags }: Cargo, show: ShowValue): Cargo {
  return {
    payload: show(payload),
    headers: show(headers) as Cargo["headers"],
    ...(tags === undefined ? {} : { tags: shownTags(tags, show) }),
  };
}

/** A producer may write anything into one. */
export function shownTags(tags: readonly unknown[], show: ShowValue): readonly string[] {
  return tags.map((tag) => String(show(tag)));
}

/** Older records were written before errors were masked. */
export function shownError(error: RecordedError, show: ShowValue): RecordedError {
  const { type, message, stack, fields } = error;
  return {
    type: String(show(type)),
    message: String(show(message)),
    ...(stack === undefined ? {} : { stack: String(show(stack)) }),
    ...(fields === undefined ? {} : { fields: show(fields) as RecordedFields }),
  };
}

/** What a handler says on the way is for people's eyes too. */
export function shownReport(report: ProgressReport, show: ShowValue): ProgressReport {
  return report.note === undefined ? report : { ...report, note: String(show(report.note)) };
}

/** Lines are masked by the node that keeps them; who shows them may know more secrets. */
export function shownLine<Line extends JobLogLine>(line: Line, show: ShowValue): Line {
  const { message, fields } = line;
  return {
    ...line,
    message: String(show(message)),
    ...(fields === undefined ? {} : { fields: show(fields) }),
  };
}

/**
 * The payload in a letter's bytes, or why there is none.
 *
 * @param maxValues a body that holds more is not read
 */
export function payloadOf(
  letter: DeadLetter,
  show: ShowValue,
  maxValues?: number,
): { readonly payload: unknown } | { readonly unreadable: string } {
  try {
    const body = decodeBody(letter.body, letter.headers["content-type"], maxValues);
    if (typeof body !== "object" || body === null || Array.isArray(body))
      return { unreadable: "The body is no map." };
    return { payload: show((body as { readonly payload?: unknown }).payload ?? null) };
  } catch (error) {
    return { unreadable: String(show(error instanceof Error ? error.message : error)) };
  }
}
