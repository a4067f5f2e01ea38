import { assign, type PromiseActorLogic, setup } from "xstate";

export interface Order {
  readonly order: string;
  readonly cents: number;
  readonly payment?: string;
  readonly answeredBy?: string;
}

/** Payment, a week for the manager's answer, shipping; what was paid is given back otherwise. */
export const orderChart = setup({
  types: {
    context: {} as Order,
    input: {} as Order,
    events: {} as { type: "APPROVE"; by: string } | { type: "REFUSE"; by: string },
  },
  // What each actor is given and gives. The jobs that stand for them are named in order.ts.
  actors: {
    charge: {} as PromiseActorLogic<{ payment: string }, { order: string; cents: number }>,
    ask: {} as PromiseActorLogic<null, { order: string }>,
    ship: {} as PromiseActorLogic<null, { order: string }>,
    refund: {} as PromiseActorLogic<null, { payment: string }>,
  },
  delays: { week: 7 * 24 * 3_600_000 },
}).createMachine({
  id: "order",
  context: ({ input }) => input,
  initial: "charging",
  states: {
    charging: {
      invoke: {
        src: "charge",
        input: ({ context: { order, cents } }) => ({ order, cents }),
        onDone: {
          target: "approval",
          actions: assign({ payment: ({ event }) => event.output.payment }),
        },
        onError: "unpaid",
      },
    },
    approval: {
      invoke: { src: "ask", input: ({ context: { order } }) => ({ order }) },
      after: { week: "refunding" },
      on: {
        APPROVE: { target: "shipping", actions: assign({ answeredBy: ({ event }) => event.by }) },
        REFUSE: { target: "refunding", actions: assign({ answeredBy: ({ event }) => event.by }) },
      },
    },
    shipping: {
      invoke: {
        src: "ship",
        input: ({ context: { order } }) => ({ order }),
        onDone: "shipped",
        onError: "refunding",
      },
    },
    refunding: {
      invoke: {
        src: "refund",
        input: ({ context: { payment = "" } }) => ({ payment }),
        onDone: "refunded",
      },
    },
    shipped: { type: "final" },
    refunded: { type: "final" },
    unpaid: { type: "final" },
  },
});
