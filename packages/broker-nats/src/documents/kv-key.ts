import { requireId } from "@millrace/core";

/**
 * A KV key takes no `:`, and ids take no `=`; so the one stands for the other.
 *
 * @throws MillraceError `invalid-name`
 */
export function toKvKey(key: string): string {
  if (PLAIN.test(key)) return key;
  for (const token of key.split(".")) requireId(token);
  return key.replaceAll(":", "=");
}

/** Keys whose tokens are ids and are written as they are, as nearly all keys. */
const PLAIN = /^[A-Za-z0-9_-]{1,128}(?:\.[A-Za-z0-9_-]{1,128})*$/;

export function fromKvKey(key: string): string {
  return key.replaceAll("=", ":");
}
