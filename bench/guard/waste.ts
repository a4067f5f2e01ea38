/**
 * Bytes of heap that each of Millrace's jobs allocates more, to see the guard fail. Set by its
 * test.
 */
const WASTED_BYTES = Number(process.env["MILLRACE_BENCH_WASTE_BYTES"] ?? 0);
const ELEMENT_BYTES = 8;
const TEMPLATE = Array.from({ length: Math.ceil(WASTED_BYTES / ELEMENT_BYTES) }, () => 0);

let wasted = TEMPLATE;

/** Allocates the bytes of so many jobs; nothing where none are asked for. */
export function waste(jobs = 1): void {
  if (WASTED_BYTES === 0) return;
  for (let job = 0; job < jobs; job += 1) wasted = TEMPLATE.slice();
  // Looked at, so that the copies aren't left out.
  if (wasted.length !== TEMPLATE.length) throw new Error("a copy is as long as what it copies");
}
