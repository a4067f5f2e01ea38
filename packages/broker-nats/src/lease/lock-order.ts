/** What the worker is to write for a lock, as it stands in the lock's slot. */
export interface LockOrder {
  /** The lock's subject and its stream. */
  readonly subject: string;
  readonly stream: string;
  /** The entry's revision when the order was written. */
  readonly token: number;
  /** The entry's value, and in it the name of the write by which its holder recognises it. */
  readonly value: string;
  readonly write: string;
}

export function writeLockOrder(order: LockOrder): string {
  return JSON.stringify(order);
}

/** @returns undefined for the ack subject of a delivery, which shares the slots */
export function readLockOrder(text: string): LockOrder | undefined {
  return text.startsWith("{") ? (JSON.parse(text) as LockOrder) : undefined;
}
