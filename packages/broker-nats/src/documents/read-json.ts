import { AS_IT_IS, decodeBody, DEFAULT_MAX_VALUES, encodeJson } from "@millrace/core";

/** In a document. What has fewer bytes has no more values, and is not counted. */
const MOST_VALUES = DEFAULT_MAX_VALUES;

/**
 * A document's JSON, which anybody may have written: what would take many times its bytes in memory
 * is not made.
 *
 * @throws Error where it is no JSON, or has too many values
 */
export function readJson(bytes: Uint8Array): unknown {
  return bytes.length > MOST_VALUES
    ? decodeBody(bytes, "application/json", MOST_VALUES)
    : JSON.parse(Buffer.from(bytes).toString("utf8"));
}

/** @throws MillraceError `payload-too-large` where whoever reads it would refuse it */
export function requireReadable(text: string, value: unknown): void {
  if (text.length > MOST_VALUES) encodeJson(value, { ...AS_IT_IS, maxValues: MOST_VALUES });
}
