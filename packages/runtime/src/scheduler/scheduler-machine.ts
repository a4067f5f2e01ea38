import { assign, fromPromise, setup } from "xstate";
import type { HeldLease } from "../lock/lock-request.ts";

/** What the scheduler's machine has done for it. */
export interface SchedulerDuties {
  /** Waits for the lock, and gives it back where nobody wants it any more. */
  readonly stand: (signal: AbortSignal) => Promise<HeldLease>;
  /** Begins to lead. `over` says that another may lead. */
  readonly lead: (lease: HeldLease, over: () => void) => Promise<void>;
  /** Ends what `lead` began, and frees the lock when the last write is done. Never rejects. */
  readonly resign: (lease: HeldLease) => Promise<void>;
  readonly onTrouble: (error: unknown) => void;
}

interface Context {
  readonly duties: SchedulerDuties;
  /** Set while leading and resigning. */
  readonly lease: HeldLease | undefined;
}

/** Between a leadership that ended and the next candidature. */
const PAUSE_MS = 1_000;

/**
 * A node's part in leading the schedules of a namespace.
 *
 * ```
 * dormant ─SCHEDULES▶ standing ─ lock taken ▶ leading ─OVER▶ resigning ─▶ pausing ─▶ standing
 *                        │ failed ▶ pausing      └──────STOP▶ leaving ─▶ stopped
 * ```
 * Dormant while nothing is scheduled. STOP is taken in every state; a leader ends its last write
 * before it frees the lock.
 */
export const schedulerMachine = setup({
  types: {
    input: {} as SchedulerDuties,
    context: {} as Context,
    events: {} as { type: "SCHEDULES" } | { type: "OVER" } | { type: "STOP" },
  },
  actors: {
    stand: fromPromise<HeldLease, SchedulerDuties>(async ({ input, signal }) => {
      const lease = await input.stand(signal);
      if (signal.aborted) await lease.release();
      return lease;
    }),
    lead: fromPromise<void, { context: Context; over: () => void }>(async ({ input }) => {
      const { duties, lease } = input.context;
      if (lease !== undefined) await duties.lead(lease, input.over);
    }),
    resign: fromPromise<void, Context>(async ({ input: { duties, lease } }) => {
      if (lease !== undefined) await duties.resign(lease);
    }),
  },
  delays: { pause: PAUSE_MS },
}).createMachine({
  id: "scheduler",
  context: ({ input }) => ({ duties: input, lease: undefined }),
  initial: "dormant",
  states: {
    dormant: { on: { SCHEDULES: "standing", STOP: "stopped" } },
    standing: {
      on: { STOP: "stopped" },
      invoke: {
        src: "stand",
        input: ({ context }) => context.duties,
        onDone: { target: "leading", actions: assign({ lease: ({ event }) => event.output }) },
        onError: {
          target: "pausing",
          actions: ({ context, event }) => context.duties.onTrouble(event.error),
        },
      },
    },
    pausing: { on: { STOP: "stopped" }, after: { pause: "standing" } },
    leading: {
      on: { OVER: "resigning", STOP: "leaving" },
      invoke: {
        src: "lead",
        input: ({ context, self }) => ({ context, over: () => self.send({ type: "OVER" }) }),
        onError: {
          target: "resigning",
          actions: ({ context, event }) => context.duties.onTrouble(event.error),
        },
      },
    },
    resigning: {
      on: { STOP: "leaving" },
      invoke: { src: "resign", input: ({ context }) => context, onDone: "pausing" },
    },
    leaving: {
      invoke: { src: "resign", input: ({ context }) => context, onDone: "stopped" },
    },
    stopped: { type: "final" },
  },
});
