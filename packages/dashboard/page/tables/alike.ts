import type { JobRowView } from "../../src/api/views/job-list-views.ts";
import type { GateView, LockView } from "../../src/api/views/limits-views.ts";

/** By its name alone, one that looks like another once both are masked would take its place. */
export function lockKey({ name, holder, since = 0 }: LockView): string {
  return JSON.stringify([name, holder, since]);
}

/** A job waits at one gate only. */
export function gateKey({ queue, gate, next }: GateView): string {
  const looksLikeOthers = gate.includes("***");
  return JSON.stringify([queue, gate, looksLikeOthers ? (next?.id ?? "") : ""]);
}

/** An id may be used again: a job that waits is another than one of its id that has ended. */
export function jobRowKey({ queue, id, createdAt }: JobRowView): string {
  return JSON.stringify([queue, id, createdAt ?? null]);
}

/** What still looks alike is numbered: no row takes another's place. */
export function apart(keys: readonly string[]): readonly string[] {
  const seen = new Map<string, number>();
  return keys.map((key) => {
    const before = seen.get(key) ?? 0;
    seen.set(key, before + 1);
    return before === 0 ? key : `${key} ${before}`;
  });
}
