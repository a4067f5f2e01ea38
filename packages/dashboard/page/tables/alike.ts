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
