/**
 * Calls it behind all that follows from what is happening now: jobs that came in one piece, and
 * whose handlers wait for nothing, are settled by then.
 */
export function atEndOfTurn(act: () => void): void {
  // Node looks at these once no promise is left to be followed up. By the global: an import of
  // `node:process` opens the process's standard input.
  queueMicrotask(() => process.nextTick(act));
}
