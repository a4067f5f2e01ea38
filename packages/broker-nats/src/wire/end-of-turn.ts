import { nextTick } from "node:process";

/**
 * Calls it behind all that follows from what is happening now: jobs that came in one piece, and
 * whose handlers wait for nothing, are settled by then.
 */
export function atEndOfTurn(act: () => void): void {
  // Node looks at these once no promise is left to be followed up.
  queueMicrotask(() => nextTick(act));
}
