import { assign, fromPromise, raise, setup } from "xstate";

export interface OrderContext {
  readonly cents: number;
  readonly paid: string | undefined;
  readonly refusals: number;
}

/** Payment, a week's wait, shipping; with a parallel region, history, guards and an own action. */
export const orderChart = setup({
  types: {
    context: {} as OrderContext,
    input: {} as { cents: number },
    events: {} as
      | { type: "APPROVE"; by: string }
      | { type: "REFUSE" }
      | { type: "PAUSE" }
      | { type: "GIVE_UP" }
      | { type: "RESUME" }
      | { type: "BOOM" }
      | { type: "LOOP" }
      | { type: "BAD" }
      | { type: "NUDGED" },
    output: {} as { receipt: string | undefined },
  },
  actors: {
    charge: fromPromise<{ receipt: string }, { cents: number }>(async ({ input }) => ({
      receipt: `r-${input.cents}`,
    })),
  },
  actions: { tell: (_, _params: { text: string }) => {} },
  guards: {
    boom: () => {
      throw new Error("the guard is broken");
    },
    often: ({ context }) => context.refusals >= 2,
  },
  delays: { week: 7 * 24 * 3_600_000 },
}).createMachine({
  id: "order",
  context: ({ input }) => ({ cents: input.cents, paid: undefined, refusals: 0 }),
  initial: "charging",
  output: ({ context }) => ({ receipt: context.paid }),
  on: {
    BOOM: { guard: "boom", target: ".lost" },
    LOOP: ".looping",
    BAD: { actions: assign({ paid: () => new Map() as never }) },
  },
  states: {
    charging: {
      invoke: {
        id: "payment",
        src: "charge",
        input: ({ context }) => ({ cents: context.cents }),
        onDone: {
          target: "waiting",
          actions: assign({ paid: ({ event }) => event.output.receipt }),
        },
        onError: "lost",
      },
      on: { GIVE_UP: "paused" },
    },
    waiting: {
      initial: "quiet",
      entry: raise({ type: "NUDGED" }, { delay: 60_000, id: "nudge" }),
      after: { week: "lost" },
      on: {
        APPROVE: {
          target: "shipped",
          actions: { type: "tell", params: ({ event }) => ({ text: `by ${event.by}` }) },
        },
        REFUSE: [
          { guard: "often", target: "lost" },
          { actions: assign({ refusals: ({ context }) => context.refusals + 1 }) },
        ],
        PAUSE: "paused",
      },
      states: {
        quiet: { on: { NUDGED: "nudged" } },
        nudged: {},
        back: { type: "history" },
      },
    },
    paused: { on: { RESUME: "waiting.back" } },
    looping: { always: "looped" },
    looped: { always: "looping" },
    shipped: { type: "final" },
    lost: { type: "final" },
  },
});
