import { LONGEST_LEASE_MS, type LockClaim, type LockView } from "@millrace/core";

/** What is stored for a lock: JSON, so that any NATS client can show it. */
export interface LockValue extends LockClaim {
  /** Of the holding it was written for, by which its holder recognises what it was not told of. */
  readonly write: string;
}

export function lockValue({ holder, leaseMs }: LockClaim, write: string): LockValue {
  return { holder, leaseMs, write };
}

/** A lock as it is stored. `writtenAt` is the server's clock. */
export interface LockEntry {
  readonly name: string;
  /** The stream's sequence: the token. */
  readonly revision: number;
  readonly writtenAt: number;
  /** Undefined where the lock was deleted by other means than a release. */
  readonly value: LockValue | undefined;
}

/** Something that is no lock keeps nobody waiting for longer than a lock could. */
const FOREIGN: LockValue = { holder: "unknown", leaseMs: LONGEST_LEASE_MS, write: "" };

/** Characters. A holder's name has up to a few hundred. */
const LONGEST_VALUE = 4_096;

export function readLockValue(text: string): LockValue {
  if (text.length > LONGEST_VALUE) return FOREIGN;
  try {
    const value = JSON.parse(text) as Partial<LockValue> | null;
    if (
      typeof value?.leaseMs !== "number" ||
      typeof value.holder !== "string" ||
      typeof value.write !== "string"
    )
      return FOREIGN;
    return { holder: value.holder, leaseMs: value.leaseMs, write: value.write };
  } catch {
    return FOREIGN;
  }
}

/** @returns undefined where nobody holds it any more */
export function viewOf(entry: LockEntry | undefined, serverNow: number): LockView | undefined {
  if (entry?.value === undefined) return undefined;
  const { holder, leaseMs } = entry.value;
  const leftMs = entry.writtenAt + leaseMs - serverNow;
  return leftMs > 0
    ? { name: entry.name, holder, token: entry.revision, leaseMs, leftMs }
    : undefined;
}
