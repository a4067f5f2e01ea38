import { requireLockName } from "@millrace/core";

const PLAIN = /[^A-Za-z0-9_/-]/gu;

/**
 * A lock's name as a KV key: letters, digits, `_`, `-` and `/` stand for themselves, everything
 * else is `=` and two hexadecimal digits for each of its bytes. Any text can be a lock's name,
 * because users' keys are part of them.
 *
 * @throws MillraceError `invalid-name`
 */
export function toLockKey(name: string): string {
  requireLockName(name);
  return name.replace(PLAIN, (char) =>
    [...Buffer.from(char)].map((byte) => `=${hex(byte)}`).join(""),
  );
}

export function fromLockKey(key: string): string {
  const bytes: number[] = [];
  for (let at = 0; at < key.length; at += 1) {
    if (key[at] === "=") {
      bytes.push(Number.parseInt(key.slice(at + 1, at + 3), 16));
      at += 2;
    } else bytes.push(key.charCodeAt(at));
  }
  return Buffer.from(bytes).toString("utf8");
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0").toUpperCase();
}
