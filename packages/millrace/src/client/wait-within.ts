import type { Clock, Timer } from "@millrace/core";

/** So long what is under way at the signal may take to come to an orderly end. */
export const LAST_STEP_MS = 2_000;

export interface WaitTime {
  readonly ms: number;
  readonly tooLate: () => Error;
  /** What is done when the time is over; the wait ends so much later. */
  readonly first?: { readonly act: () => void; readonly ms: number };
}

/** What ends a wait before it has what it waits for. */
export interface WaitEnds {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** How long, and what the wait rejects with after that. */
  readonly time?: WaitTime | undefined;
  /** So long what acts may take to end by itself, once it is told to. Default: no time at all. */
  readonly graceMs?: number;
}

/**
 * Waits no longer than was asked for, also where the server does not answer.
 *
 * @param act is given a signal that tells it that nobody waits any more: what it holds, or comes to
 *   hold later, is its own to let go of
 * @throws the signal's reason; `tooLate`; what `act` throws
 */
export async function waitWithin<T>(
  { clock, signal, time, graceMs = 0 }: WaitEnds,
  act: (over: AbortSignal) => Promise<T>,
): Promise<T> {
  // Within a grace the act may say how far it is.
  if (graceMs === 0) signal?.throwIfAborted();
  const over = new AbortController();
  const ended = Promise.withResolvers<never>();
  let timer: Timer | undefined;
  const end = (reason: unknown): void => {
    signal?.removeEventListener("abort", abort);
    timer?.cancel();
    // Where there is no grace its own end is the first to be heard, not what the act makes of it.
    if (graceMs === 0) ended.reject(reason);
    else timer = clock.setTimer(graceMs, () => ended.reject(reason));
    over.abort(reason);
  };
  const abort = (): void => end(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  if (time !== undefined)
    timer = clock.setTimer(time.ms, () => {
      const late = (): void => end(time.tooLate());
      if (time.first === undefined) return late();
      time.first.act();
      // Not before: an event loop that stood still would find both over in the same turn.
      timer = clock.setTimer(time.first.ms, late);
    });
  if (signal?.aborted === true) abort();
  try {
    return await Promise.race([act(over.signal), ended.promise]);
  } finally {
    signal?.removeEventListener("abort", abort);
    timer?.cancel();
  }
}
