/**
 * Milliseconds on the monotonic clock, the same in every thread of the process, as a wrapping
 * 32-bit integer. `performance.now` starts anew in each thread and the wall clock may be set;
 * `process.hrtime` does neither, and is what `performance.now` is anchored to here because it is
 * dear to read.
 */
const offsetMs = Number(process.hrtime.bigint() / 1_000n) / 1_000 - performance.now();

export function sharedNowMs(): number {
  return (performance.now() + offsetMs) | 0;
}

/** From one reading to a later one; right across the wrap for spans below 24 days. */
export function elapsedMs(fromMs: number, toMs: number): number {
  return (toMs - fromMs) | 0;
}
