import {
  type Broker,
  changeControls,
  type Clock,
  type ControlMark,
  CONTROLS_BUCKET,
  type Duration,
  MillraceError,
  optionNames,
  refuseUnknown,
  toMs,
} from "@millrace/core";
import { controlsOf, type QueueStatus, queueStatus } from "./queue-status.ts";

/** What a drain waits for, for how long, and whom it tells why. */
export interface DrainOptions {
  /**
   * Wait for delayed jobs too, retries that wait for their backoff among them. Default false: only
   * for what is due.
   */
  readonly delayed?: boolean;
  /** Default: none. The queue stays closed. */
  readonly timeout?: Duration;
  /** Shown to producers and operators. */
  readonly reason?: string;
  readonly by?: string;
  /** Called after each look. */
  readonly onProgress?: (status: QueueStatus) => void;
  /** Ends the waiting. The queue stays closed. */
  readonly signal?: AbortSignal;
}

const NAMES = optionNames<DrainOptions>({
  ...{ delayed: true, timeout: true, reason: true, by: true, onProgress: true, signal: true },
});

/** How a drain ended. */
export interface DrainResult {
  /** Whether everything had ended. */
  readonly drained: boolean;
  /** As it was at the last look. */
  readonly status: QueueStatus;
}

const LOOK_MS = 250;
/** A job on its way from one place to another may be missed by one look, not by two. */
const EMPTY_LOOKS = 2;

/** @throws MillraceError `queue-not-found`, `invalid-option` where the queue is paused */
export async function drainQueue(
  broker: Broker,
  clock: Clock,
  queue: string,
  options: DrainOptions,
  mark: ControlMark,
): Promise<DrainResult> {
  refuseUnknown(options, NAMES, "queues.drain()");
  const { delayed = false, timeout, onProgress, signal } = options;
  const until = clock.monotonic() + (timeout === undefined ? Infinity : toMs(timeout, "timeout"));
  await broker.queues.snapshot(queue);
  if ((await controlsOf(broker, queue)).paused !== undefined)
    throw new MillraceError(
      "invalid-option",
      `The queue ${queue} is paused, so nothing in it would end. Resume it, then drain it.`,
    );
  // Said first, so that whoever is refused can be told why.
  await changeControls(await broker.documents(CONTROLS_BUCKET), queue, ({ closed }) =>
    closed === undefined ? { closed: mark } : undefined,
  );
  await broker.queues.setIntake(queue, "closed");
  for (let empty = 0; ;) {
    const status = await queueStatus(broker, queue);
    onProgress?.(status);
    const left = status.queued + status.blocked + status.running + (delayed ? status.delayed : 0);
    empty = left === 0 ? empty + 1 : 0;
    if (empty === EMPTY_LOOKS) return { drained: true, status };
    // Somebody opened it again; or a node that was just bringing its settings up to date put the
    // old subjects back.
    if (status.closed === undefined) return { drained: false, status };
    if (status.intake === "open") await broker.queues.setIntake(queue, "closed");
    if (signal?.aborted === true || clock.monotonic() >= until) return { drained: false, status };
    await new Promise<void>((resolve) => clock.setTimer(LOOK_MS, resolve));
  }
}
