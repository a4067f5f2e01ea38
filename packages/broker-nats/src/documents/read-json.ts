import { DEFAULT_MAX_VALUES, MillraceError, scanJson } from "@millrace/core";

/** In a document. What has fewer bytes has no more values, and is not counted. */
const MOST_VALUES = DEFAULT_MAX_VALUES;

/**
 * A document's JSON, which anybody may have written: what would take many times its bytes in memory
 * is not made. Nothing else depends on how large it is: numbers, depth and keys are read as they
 * are in a small one.
 *
 * @throws Error where it is no JSON, or has too many values
 */
export function readJson(bytes: Uint8Array): unknown {
  if (bytes.length > MOST_VALUES) scanJson(bytes, MOST_VALUES, Number.POSITIVE_INFINITY, false);
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
}

/**
 * The bytes of a document that is to be stored, once they were read as whoever comes will read
 * them.
 *
 * @throws MillraceError `payload-too-large` where whoever reads it would refuse it
 */
export function writeJson(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  // Smaller ones are what `JSON.stringify` has just made, which can be read.
  if (bytes.length > MOST_VALUES)
    try {
      readJson(bytes);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new MillraceError(
        "payload-too-large",
        `A document can't be stored, since it could not be read again: ${why}. Keep less in it.`,
        { cause },
      );
    }
  return bytes;
}
