import { Unsendable } from "../envelope/sendable.ts";
import type { MillraceError } from "../errors/millrace-error.ts";
import { recordError } from "../errors/recorded-error.ts";
import type { HistoryRecord } from "./history-record.ts";

/**
 * What a record says of a result that can't be sent, in place of the result: where in it the value
 * is and what is wrong with it, never the value.
 */
export function unserializable(
  error: MillraceError,
): Pick<HistoryRecord, "outputDropped" | "reason"> {
  const { cause } = error;
  // What another has thrown, a getter or the encoder, may quote the value.
  return cause instanceof Unsendable
    ? { outputDropped: "unserializable", reason: recordError(cause).message }
    : { outputDropped: "unserializable" };
}
