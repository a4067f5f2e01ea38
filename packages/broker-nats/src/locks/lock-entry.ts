import { LATEST_DATE_MS, LONGEST_LEASE_MS, type LockClaim, type LockView } from "@millrace/core";
import type { Holding } from "./write-names.ts";

/** What is stored for a lock: JSON, so that any NATS client can show it. */
export interface LockValue extends LockClaim {
  /** Of the holding it was written for, by which its holder recognises what it was not told of. */
  readonly write: string;
  /** When that holding began, by its holder's clock. Older nodes say nothing of it. */
  readonly since?: number;
}

export function lockValue({ holder, leaseMs }: LockClaim, { write, since }: Holding): LockValue {
  return { holder, leaseMs, write, since };
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
    const { holder, leaseMs, write, since } = value;
    // What can't be a time is shown as none: a lock is a lock without it.
    return { holder, leaseMs, write, ...(isTime(since) ? { since } : {}) };
  } catch {
    return FOREIGN;
  }
}

/** Epoch milliseconds that a date can show. */
export function isTime(value: unknown): value is number {
  return (
    Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= LATEST_DATE_MS
  );
}

/** @returns undefined where nobody holds it any more */
export function viewOf(entry: LockEntry | undefined, serverNow: number): LockView | undefined {
  if (entry?.value === undefined) return undefined;
  const { holder, leaseMs, since } = entry.value;
  const leftMs = entry.writtenAt + leaseMs - serverNow;
  if (leftMs <= 0) return undefined;
  return {
    ...{ name: entry.name, holder, token: entry.revision, leaseMs, leftMs },
    // No holding began after it was written down, whatever its holder's clock says.
    ...(since === undefined ? {} : { since: Math.min(since, entry.writtenAt) }),
  };
}
