import { cpuPerMessageUs, heapBytesPerMessage, perSecond, type Run } from "../bare/stopwatch.ts";
import type { Figure } from "./figure.ts";

export function rateOf(run: Run): Figure {
  return {
    kind: "rate",
    perSecond: perSecond(run),
    cpuUsEach: cpuPerMessageUs(run),
    heapBytesEach: heapBytesPerMessage(run),
  };
}

/** Of samples in milliseconds, in any order. */
export function latencyOf(samples: Iterable<number>): Figure & { readonly kind: "latency" } {
  const sorted = Float64Array.from(samples).sort();
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { kind: "latency", p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

/**
 * Of two readings of `process.hrtime.bigint()`, the second from another process of this machine.
 */
export function msBetween(began: bigint, endedNs: string): number {
  return Number(BigInt(endedNs) - began) / 1e6;
}
