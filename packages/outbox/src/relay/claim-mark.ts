import type { Mark } from "@millrace/core";
import type { Claim } from "../store/outbox-store.ts";

/** The mark says how far a claim is published: its name, and the last row that is stored. */
export function markOf({ id }: Claim, lastSeq: number): string {
  return `${id}:${lastSeq}`;
}

/** The last row of the claim that is stored; -1 where none is. */
export function publishedUpTo({ id }: Claim, mark: Mark | undefined): number {
  const prefix = `${id}:`;
  if (mark === undefined || !mark.value.startsWith(prefix)) return -1;
  return Number(mark.value.slice(prefix.length));
}
