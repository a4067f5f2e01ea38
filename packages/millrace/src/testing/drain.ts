import { type Broker, type Duration, toMs } from "@millrace/core";
import type { SimulatedClock } from "@millrace/testkit";

/** Moves the clock from timer to timer until no job is left. */
export async function drain(
  broker: Broker,
  clock: SimulatedClock,
  maxTime: Duration,
): Promise<void> {
  const endMs = clock.monotonic() + toMs(maxTime, "maxTime");
  for (;;) {
    await clock.advance(0);
    const left = await jobsLeft(broker);
    if (left === 0) return;
    const nextMs = clock.nextTimerInMs;
    if (nextMs === undefined)
      throw new Error(
        `${left} jobs are left and no timer is set: a handler waits for something that the clock does not move.`,
      );
    if (clock.monotonic() + nextMs > endMs)
      throw new Error(`${left} jobs are left after ${maxTime} of simulated time.`);
    await clock.advance(nextMs);
  }
}

async function jobsLeft(broker: Broker): Promise<number> {
  const queues = await broker.queues.list();
  return queues.reduce(
    (sum, { waiting, running, delayed, blocked }) => sum + waiting + running + delayed + blocked,
    0,
  );
}
