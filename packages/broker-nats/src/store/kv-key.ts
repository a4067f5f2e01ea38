import { requireId } from "@millrace/core";

/**
 * A KV key takes no `:`, and ids take no `=`; so the one stands for the other.
 *
 * @throws MillraceError `invalid-name`
 */
export function toKvKey(key: string): string {
  for (const token of key.split(".")) requireId(token);
  return key.replaceAll(":", "=");
}

export function fromKvKey(key: string): string {
  return key.replaceAll("=", ":");
}
