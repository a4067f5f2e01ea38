import { defineJob, defineMachine, machineAddress, type MachineRef } from "@millrace/core";
import { assign, type PromiseActorLogic, raise, sendTo, setup } from "xstate";

/** What an order has seen: the oracle compares it with what was sent and done. */
export interface Order {
  readonly order: string;
  /** Numbers of the pings that it took. */
  readonly pings: readonly number[];
  readonly beats: number;
  readonly charged: string;
  readonly asked: readonly string[];
  readonly shipped: string;
  readonly reserved: number;
}

/** One for all orders, which all send to it. */
const stockChart = setup({
  types: {
    context: {} as { orders: readonly string[] },
    events: {} as { type: "RESERVE"; from: MachineRef },
  },
}).createMachine({
  context: { orders: [] },
  on: {
    RESERVE: {
      actions: [
        assign({ orders: ({ context, event }) => [...context.orders, event.from.id] }),
        sendTo(({ event: { from } }) => machineAddress(from.machine, from.id), {
          type: "RESERVED",
        }),
      ],
    },
  },
});
export const stock = defineMachine({ name: "stock", machine: stockChart, sendsTo: ["order"] });

export const BEATS = 3;
export const BEAT_MS = 1_500;
export const PATIENCE_MS = 6_000;

type Work = PromiseActorLogic<string, { order: string }>;

/** Whoever has no events, timers and jobs at once is taken through each of them. */
const chart = setup({
  types: {
    context: {} as Order,
    input: {} as { order: string },
    events: {} as
      | { type: "PING"; n: number }
      | { type: "BEAT" }
      | { type: "RESERVED" }
      | { type: "APPROVE" }
      | { type: "CLOSE" },
    output: {} as Order,
  },
  actors: { charge: {} as Work, ask: {} as Work, ship: {} as Work },
  actions: { tell: (_, _params: { order: string }) => {} },
}).createMachine({
  context: ({ input: { order } }) => ({
    ...{ order, pings: [], beats: 0, charged: "", asked: [], shipped: "", reserved: 0 },
  }),
  initial: "charging",
  output: ({ context }) => context,
  on: {
    RESERVED: { actions: assign({ reserved: ({ context }) => context.reserved + 1 }) },
    PING: { actions: assign({ pings: ({ context, event }) => [...context.pings, event.n] }) },
  },
  states: {
    reserving: {
      entry: sendTo(machineAddress(stock, "all"), ({ context: { order } }) => ({
        type: "RESERVE" as const,
        from: { machine: "order", id: order },
      })),
      on: {
        RESERVED: {
          target: "open",
          actions: assign({ reserved: ({ context }) => context.reserved + 1 }),
        },
      },
    },
    charging: {
      invoke: {
        src: "charge",
        input: ({ context: { order } }) => ({ order }),
        onDone: { target: "asking", actions: assign({ charged: ({ event }) => event.output }) },
      },
    },
    asking: {
      invoke: {
        src: "ask",
        input: ({ context: { order } }) => ({ order }),
        onDone: {
          actions: assign({ asked: ({ context, event }) => [...context.asked, event.output] }),
        },
        onError: {
          actions: assign({ asked: ({ context }) => [...context.asked, "failed"] }),
        },
      },
      after: { [PATIENCE_MS]: "beating" },
      on: { APPROVE: "beating" },
    },
    beating: {
      entry: raise({ type: "BEAT" }, { delay: BEAT_MS }),
      on: {
        BEAT: [
          {
            guard: ({ context }) => context.beats + 1 < BEATS,
            target: "beating",
            reenter: true,
            actions: assign({ beats: ({ context }) => context.beats + 1 }),
          },
          { target: "shipping", actions: assign({ beats: ({ context }) => context.beats + 1 }) },
        ],
      },
    },
    shipping: {
      invoke: {
        src: "ship",
        input: ({ context: { order } }) => ({ order }),
        onDone: {
          target: "reserving",
          actions: [
            assign({ shipped: ({ event }) => event.output }),
            { type: "tell", params: ({ context: { order } }) => ({ order }) },
          ],
        },
      },
    },
    open: { on: { CLOSE: "closed" } },
    closed: { type: "final" },
  },
});

const retry = { attempts: 1_000, backoff: "fixed", base: "500ms" } as const;
const work = (name: string) =>
  defineJob<{ order: string }, { order: string }, string>({ name, queue: "orders", retry });
export const charge = work("charge");
export const ask = work("ask");
export const ship = work("ship");

/** @param tell the chart's own action: what it does is done at least once */
export const orderMachine = (tell: (order: string) => void) =>
  defineMachine({
    name: "order",
    machine: chart.provide({ actions: { tell: (_, { order }) => tell(order) } }),
    jobs: { charge, ask, ship },
    sendsTo: ["stock"],
  });
