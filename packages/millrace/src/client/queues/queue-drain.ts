import {
  type Broker,
  changeControls,
  type Clock,
  type ControlMark,
  CONTROLS_BUCKET,
  type Duration,
  type ErrorCode,
  MillraceError,
  optionNames,
  refuseUnknown,
  toMs,
} from "@millrace/core";
import { LAST_STEP_MS, waitWithin } from "../wait-within.ts";
import { controlsOf, type QueueStatus, queueStatus } from "./queue-status.ts";

/** What a drain waits for, for how long, and whom it tells why. */
export interface DrainOptions {
  /**
   * Wait for delayed jobs too, retries that wait for their backoff among them. Default false: only
   * for what is due.
   */
  readonly delayed?: boolean;
  /**
   * Default: none. The queue stays closed. It is closed and looked at once in any case; where the
   * server does not answer, the call rejects two seconds after this.
   */
  readonly timeout?: Duration;
  /** Shown to producers and operators. */
  readonly reason?: string;
  readonly by?: string;
  /** Called after each look. */
  readonly onProgress?: (status: QueueStatus) => void;
  /**
   * Ends the waiting. The queue stays closed. Rejects with its reason where the server does not
   * answer, and has told nothing of the queue.
   */
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

/** Between two looks: while something moves, and at most where nothing does. */
const LOOK_MS = 250;
const LONGEST_PAUSE_MS = 1_000;
const OUTAGE: ReadonlySet<ErrorCode> = new Set(["request-timeout", "broker-unavailable"]);
/** A job on its way from one place to another may be missed by one look, not by two. */
const EMPTY_LOOKS = 2;

/**
 * @throws MillraceError `queue-not-found`, `invalid-option` where the queue is paused;
 *   `request-timeout` where the time is over before the server has told anything of it, the
 *   signal's reason likewise
 */
export async function drainQueue(
  broker: Broker,
  clock: Clock,
  queue: string,
  options: DrainOptions,
  markOf: () => ControlMark,
): Promise<DrainResult> {
  refuseUnknown(options, NAMES, "queues.drain()");
  const mark = markOf();
  const { timeout, signal } = options;
  const ms = timeout === undefined ? undefined : toMs(timeout, "timeout");
  const late = new MillraceError(
    "request-timeout",
    `The server did not answer in the time given to the drain of ${queue}: the queue may be closed or not. Try again.`,
  );
  const time = ms === undefined ? undefined : { ms, tooLate: () => late };
  const until = clock.monotonic() + (ms ?? Infinity);
  let last: QueueStatus | undefined;
  const onProgress = (status: QueueStatus): void => {
    last = status;
    options.onProgress?.(status);
  };
  try {
    return await waitWithin({ clock, signal, time, graceMs: LAST_STEP_MS }, (over) =>
      closeAndLook(
        { broker, clock },
        queue,
        { ...options, onProgress },
        mark,
        () => over.aborted || clock.monotonic() >= until,
      ),
    );
  } catch (error) {
    const isEnd = error === late || (signal?.aborted === true && error === signal.reason);
    if (last !== undefined && isEnd) return { drained: false, status: last };
    throw error;
  }
}

async function closeAndLook(
  { broker, clock }: { readonly broker: Broker; readonly clock: Clock },
  queue: string,
  { delayed = false, onProgress }: DrainOptions,
  mark: ControlMark,
  isOver: () => boolean,
): Promise<DrainResult> {
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
  let [empty, before, pauseMs] = [0, -1, LOOK_MS];
  for (let isFirst = true; ; isFirst = false) {
    const looked = queueStatus(broker, queue);
    const status = await (isFirst ? looked : unlessAway(looked));
    if (status !== undefined) {
      onProgress?.(status);
      const left = status.queued + status.blocked + status.running + (delayed ? status.delayed : 0);
      empty = left === 0 ? empty + 1 : 0;
      if (empty === EMPTY_LOOKS) return { drained: true, status };
      // Somebody opened it again; or a node that was just bringing its settings up to date put the
      // old subjects back.
      if (status.closed === undefined) return { drained: false, status };
      if (status.intake === "open") await unlessAway(closeAgain(broker, queue));
      if (isOver()) return { drained: false, status };
      pauseMs = left === before && left > 0 ? Math.min(pauseMs * 2, LONGEST_PAUSE_MS) : LOOK_MS;
      before = left;
    }
    await new Promise<void>((resolve) => clock.setTimer(pauseMs, resolve));
  }
}

/** @returns undefined in an outage: the queue was closed, and is looked at again */
async function unlessAway<Value>(asked: Promise<Value>): Promise<Value | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (MillraceError.is(error) && OUTAGE.has(error.code)) return undefined;
    throw error;
  }
}

/** Whoever opens it meanwhile takes its mark away last, and so before this look or after it. */
async function closeAgain(broker: Broker, queue: string): Promise<void> {
  await broker.queues.setIntake(queue, "closed");
  if ((await controlsOf(broker, queue)).closed === undefined)
    await broker.queues.setIntake(queue, "open");
}
