import type { Timer } from "@millrace/core";
import type { JobInHand } from "../job-in-hand.ts";

/** Most waits are over before: a node that lives says so within ten seconds. */
const FIRST_MS = 15_000;
const MOST_MS = 10 * 60_000;

/** Of a job that waits, for the log. */
interface Waiting {
  readonly job: string;
  readonly queue: string;
  readonly name: string;
  readonly waitedMs: number;
}

/**
 * A job in hand waits for what nobody can hurry, and would look as if it hung: has it told where
 * that takes long, and ever more seldom.
 */
export async function toldWhenLong<T>(
  of: JobInHand,
  wait: Promise<T>,
  tell: (waiting: Waiting) => void,
): Promise<T> {
  const { host, envelope, phase } = of;
  const { clock } = host;
  const { id: job, queue, name } = envelope;
  const since = clock.monotonic();
  const tellAfter = (ms: number): Timer => {
    const after = clock.setTimer(ms, () => {
      // It was ended from outside, and what it waits for may never come.
      if (of.phase !== phase) return;
      tell({ job, queue, name, waitedMs: Math.round(clock.monotonic() - since) });
      timer = tellAfter(Math.min(2 * ms, MOST_MS));
    });
    after.unref?.();
    return after;
  };
  let timer = tellAfter(FIRST_MS);
  try {
    return await wait;
  } finally {
    timer.cancel();
  }
}
