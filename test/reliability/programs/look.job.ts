import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { defineJob, type ExecutionContext, MillraceError } from "@millrace/core";

export const LOOK_QUEUE = "look";

/** What a handler is to do. */
export interface Look {
  /** It wakes by a timer of its own after so long. */
  readonly wakesAfterMs: number;
  /** It writes what it sees here, one line of JSON. */
  readonly file: string;
  /**
   * It sleeps without turning its event loop. In a thread, which is ended as soon as the node knows
   * of the lease.
   */
  readonly blocks?: true;
}

/** What it sees, in this order. */
export interface Seen {
  readonly id: string;
  readonly token: number;
  readonly saw: "began" | "looked" | "enqueued";
  readonly derived?: boolean;
  readonly aborted?: boolean;
  readonly thrown?: string;
  readonly derivedNow?: boolean;
  readonly listenerCalled?: boolean;
  readonly enqueued?: string;
}

const child = defineJob<number>({ name: "look.child", queue: LOOK_QUEUE });

/** Never looks at its signal before it is woken; then it looks at everything in one go. */
async function look({ input, job, token, signal, progress, enqueue }: ExecutionContext<Look>) {
  const write = (seen: Omit<Seen, "id" | "token">): void =>
    appendFileSync(input.file, `${JSON.stringify({ id: job.id, token, ...seen })}\n`);
  const derived = AbortSignal.any([signal, new AbortController().signal]);
  let listenerCalled = false;
  signal.addEventListener("abort", () => (listenerCalled = true));
  // It sleeps from before the line that says so: its reader may freeze this process at once.
  const wakesAt = performance.now() + input.wakesAfterMs;
  const asleep = input.blocks === true ? undefined : sleep(input.wakesAfterMs);
  write({ saw: "began" });
  if (asleep === undefined) blockUntil(wakesAt);
  else await asleep;
  const first = { derived: derived.aborted, aborted: signal.aborted };
  progress(1);
  write({
    saw: "looked",
    ...first,
    thrown: codeOf(() => signal.throwIfAborted()),
    derivedNow: AbortSignal.any([signal]).aborted,
    listenerCalled,
  });
  write({
    saw: "enqueued",
    enqueued: await enqueue(child, 1).then(
      () => "stored",
      (error: unknown) => (MillraceError.is(error) ? error.code : String(error)),
    ),
  });
}

/** In short turns: of a wait that a freeze came just before, only a turn is left after it. */
function blockUntil(wakesAt: number): void {
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  while (performance.now() < wakesAt) Atomics.wait(nobody, 0, 0, 10);
}

function codeOf(act: () => void): string {
  try {
    act();
    return "nothing";
  } catch (error) {
    return MillraceError.is(error) ? error.code : String(error);
  }
}

export const here = defineJob<Look>({ name: "look.here", queue: LOOK_QUEUE }).handler(look);
export const inThread = defineJob<Look>({
  name: "look.thread",
  queue: LOOK_QUEUE,
  isolation: "thread",
  module: import.meta.url,
}).handler(look);
