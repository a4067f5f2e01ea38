import { createHash } from "node:crypto";

/** 132 bits: two gates of one queue never share a token. */
const LENGTH = 22;

/**
 * A gate's place in a subject. Its name holds a user's key, which may be any text of any length.
 */
export function gateToken(gate: string): string {
  return createHash("sha256").update(gate).digest("base64url").slice(0, LENGTH);
}
