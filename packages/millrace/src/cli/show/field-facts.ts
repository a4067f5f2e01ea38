import type { RecordedError } from "@millrace/core";
import { clean } from "./clean.ts";

/** What an error's class had kept of it, in one line; nothing of most. */
export function fieldFacts(
  error: RecordedError | null | undefined,
): readonly (readonly [string, string])[] {
  const fields = error?.fields;
  return fields === undefined ? [] : [["error fields", clean(JSON.stringify(fields), 2_000)]];
}
