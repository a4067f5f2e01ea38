import { setup } from "xstate";

/**
 * What happens to one delivery of a job. The machine is the one place that decides it: which event
 * leads where, and which effects follow in which order. `docs/machine.md` draws it and is checked
 * against it.
 *
 * A policy's verdict travels in the event (`retry`), so the machine needs no context: the same
 * event in the same state always gives the same answer.
 */
export type ExecutionEvent =
  /** The handler is about to be called. */
  | { readonly type: "START" }
  | { readonly type: "SUCCEED" }
  | { readonly type: "FAIL"; readonly retry: boolean }
  | { readonly type: "TIMEOUT"; readonly retry: boolean }
  /** The handler asks to be run later; no attempt is spent. */
  | { readonly type: "SNOOZE" }
  /** A shutdown hands the job back; no attempt is spent. */
  | { readonly type: "INTERRUPT" }
  | { readonly type: "CANCEL" }
  /** Another node may own the job by now: nothing may be settled. */
  | { readonly type: "LEASE_LOST" }
  /** The job's start time lies ahead. */
  | { readonly type: "DEFER" }
  /** The job has to wait at a gate until it is let in. */
  | { readonly type: "BLOCK" }
  /** The job's expiry passed before it started. */
  | { readonly type: "EXPIRE" }
  /** It can't be decoded, validated or routed. */
  | { readonly type: "REJECT" }
  /** It took its holders down too many times. */
  | { readonly type: "CRASH" }
  /** A redelivery of what an earlier holder has settled already, up to the ack. */
  | { readonly type: "RECALL" };

export type ExecutionState =
  | "queued"
  | "running"
  | "failed"
  | "succeeded"
  | "requeued"
  | "dead"
  | "cancelled"
  | "expired"
  | "abandoned"
  | "recalled";

export type FinalState = Exclude<ExecutionState, "queued" | "running" | "failed">;

/**
 * What settlement does, in the order given. What keeps the job alive (its next generation, its
 * letter) is published before the record; what only follows from an end comes after it, because it
 * may have to wait, and no end may be forgotten meanwhile. The ack is last: a crash between two of
 * them leaves something that the next holder recognises, never a hole.
 */
export type ExecutionEffect =
  "countAttempt" | "publishNext" | "publishFollowing" | "publishDead" | "record" | "ack";

const effect: Record<ExecutionEffect, () => void> = {
  countAttempt: () => {},
  publishNext: () => {},
  publishFollowing: () => {},
  publishDead: () => {},
  record: () => {},
  ack: () => {},
};

export const executionMachine = setup({
  types: { events: {} as ExecutionEvent },
  actions: effect,
  guards: {
    mayRetry: ({ event }) => "retry" in event && event.retry,
  },
}).createMachine({
  id: "execution",
  initial: "queued",
  states: {
    queued: {
      on: {
        START: "running",
        DEFER: "requeued",
        BLOCK: "requeued",
        INTERRUPT: "requeued",
        CANCEL: "cancelled",
        EXPIRE: "expired",
        REJECT: "dead",
        CRASH: "dead",
        RECALL: "recalled",
        LEASE_LOST: "abandoned",
      },
    },
    running: {
      on: {
        SUCCEED: { target: "succeeded", actions: "countAttempt" },
        FAIL: { target: "failed", actions: "countAttempt" },
        TIMEOUT: { target: "failed", actions: "countAttempt" },
        SNOOZE: "requeued",
        INTERRUPT: "requeued",
        CANCEL: "cancelled",
        LEASE_LOST: "abandoned",
        REJECT: "dead",
      },
    },
    failed: {
      always: [{ guard: "mayRetry", target: "requeued" }, { target: "dead" }],
    },
    succeeded: { type: "final", entry: ["record", "publishFollowing", "ack"] },
    requeued: { type: "final", entry: ["publishNext", "record", "ack"] },
    dead: { type: "final", entry: ["publishDead", "record", "publishFollowing", "ack"] },
    expired: { type: "final", entry: ["publishDead", "record", "publishFollowing", "ack"] },
    cancelled: { type: "final", entry: ["record", "publishFollowing", "ack"] },
    abandoned: { type: "final" },
    recalled: { type: "final", entry: ["publishFollowing", "ack"] },
  },
});
