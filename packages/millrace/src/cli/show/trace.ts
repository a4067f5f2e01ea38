import { traceLink } from "../../config/field-kinds.ts";
import { clean } from "./clean.ts";

/** A job's trace, and its page where the configuration says where traces are shown. */
export function traceFacts(
  traceId: string | undefined,
  traceUrl: string | undefined,
): readonly (readonly [string, string])[] {
  if (traceId === undefined) return [];
  const link = traceUrl === undefined ? "" : ` ${traceLink(traceUrl, traceId)}`;
  return [["trace", clean(`${traceId}${link}`, 1_000)]];
}
