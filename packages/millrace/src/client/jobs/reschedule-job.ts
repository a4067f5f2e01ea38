import {
  type Broker,
  type Clock,
  type EnqueueOptions,
  MillraceError,
  optionNames,
  refuseUnknown,
  startTime,
} from "@millrace/core";
import type { AwaitedJob } from "./results/awaited-job.ts";
import { findJob } from "./job-status.ts";

/** When a delayed job is to start instead: one of the two. `delay` counts from now. */
export type RescheduleOptions = Pick<EnqueueOptions, "delay" | "at">;

const NAMES = optionNames<RescheduleOptions>({ delay: true, at: true });

/** The job that has another time now. */
export interface RescheduleResult {
  readonly id: string;
  readonly queue: string;
  /** Epoch milliseconds; absent where it goes to its queue now. */
  readonly notBefore?: number;
}

/**
 * Gives a delayed job another time.
 *
 * @throws MillraceError `not-delayed`, `job-not-found`, `invalid-option`, `past-not-before`
 */
export async function rescheduleJob(
  broker: Broker,
  clock: Clock,
  { id, queue }: AwaitedJob,
  options: RescheduleOptions,
): Promise<RescheduleResult> {
  refuseUnknown(options, NAMES, "reschedule()");
  if (options.delay === undefined && options.at === undefined)
    throw new MillraceError("invalid-option", "delay, at: give one of them.");
  const notBefore = startTime(options, clock.now());
  if (await broker.delayed.move(id, queue, notBefore ?? "now"))
    return { id, queue, ...(notBefore === undefined ? {} : { notBefore }) };
  const { state } = await findJob(broker, id, queue, () => clock.now());
  const where =
    state === "queued"
      ? "is in its queue: it is due, or no node has put it aside for its time yet"
      : state === "delayed"
        ? "is due within two seconds, and on its way"
        : `is ${state}`;
  throw new MillraceError(
    "not-delayed",
    `Job ${id} ${where}. Only a job that waits for its time can be given another one.`,
  );
}
