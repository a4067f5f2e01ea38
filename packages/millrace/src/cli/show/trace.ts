import { traceLink } from "../../config/field-kinds.ts";
import { clean } from "./clean.ts";
import type { Column } from "./table.ts";

/** A job's trace, and its page where the configuration says where traces are shown. */
export function traceFacts(
  traceId: string | undefined,
  traceUrl: string | undefined,
): readonly (readonly [string, string])[] {
  if (traceId === undefined) return [];
  const link = traceUrl === undefined ? "" : ` ${traceLink(traceUrl, traceId)}`;
  return [["trace", `${traceId}${link}`]];
}

/** The page of a job's trace where the configuration says where traces are shown, else its id. */
export function shownTrace(traceId: string | undefined, traceUrl: string | undefined): string {
  if (traceId === undefined) return "-";
  return traceUrl === undefined ? traceId : traceLink(traceUrl, traceId);
}

/** ` (trace …)` behind a job that a line names; nothing where it was not traced. */
export function traceWords(traceId: string | undefined, traceUrl: string | undefined): string {
  if (traceId === undefined) return "";
  return ` (trace ${clean(shownTrace(traceId, traceUrl), Number.POSITIVE_INFINITY)})`;
}

/** A column of traces, where one of the jobs was traced. */
export function traceColumns<Row extends { readonly traceId?: string | undefined }>(
  rows: readonly Row[],
  traceUrl: string | undefined,
): readonly Column<Row>[] {
  return traceColumnsOf(rows, ({ traceId }) => traceId, traceUrl);
}

/** The same, where a row's trace stands elsewhere. */
export function traceColumnsOf<Row>(
  rows: readonly Row[],
  traceOf: (row: Row) => string | undefined,
  traceUrl: string | undefined,
): readonly Column<Row>[] {
  if (rows.every((row) => traceOf(row) === undefined)) return [];
  return [{ title: "TRACE", isWhole: true, cell: (row) => shownTrace(traceOf(row), traceUrl) }];
}
