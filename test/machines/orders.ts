import { appendFileSync } from "node:fs";
import { defineJob, defineMachine } from "@millrace/core";
import { assign, type PromiseActorLogic, setup } from "xstate";
import type { ConnectConfig } from "../reliability/programs/work.ts";

export interface OrdersConfig extends ConnectConfig {
  /** A file to which each run of a job adds `<job> <order> <job's id>`. */
  readonly effects: string;
  readonly dieAt?: string;
}

export const LEASE = "5s";

type Job = PromiseActorLogic<string, { order: string }>;

/** Charged, then shipped by an event or, without one, by its timer. */
const chart = setup({
  types: {
    context: {} as { order: string; charged: string; shipped: string; by: string },
    input: {} as { order: string },
    events: {} as { type: "GO" },
    output: {} as { charged: string; shipped: string; by: string },
  },
  actors: { charge: {} as Job, ship: {} as Job },
}).createMachine({
  context: ({ input }) => ({ order: input.order, charged: "", shipped: "", by: "" }),
  initial: "charging",
  output: ({ context: { charged, shipped, by } }) => ({ charged, shipped, by }),
  states: {
    charging: {
      invoke: {
        src: "charge",
        input: ({ context }) => ({ order: context.order }),
        onDone: { target: "waiting", actions: assign({ charged: ({ event }) => event.output }) },
      },
    },
    waiting: {
      after: { 2_000: { target: "shipping", actions: assign({ by: "time" }) } },
      on: { GO: { target: "shipping", actions: assign({ by: "event" }) } },
    },
    shipping: {
      invoke: {
        src: "ship",
        input: ({ context }) => ({ order: context.order }),
        onDone: { target: "shipped", actions: assign({ shipped: ({ event }) => event.output }) },
      },
    },
    shipped: { type: "final" },
  },
});

const charge = defineJob<{ order: string }, { order: string }, string>({
  ...{ name: "charge", queue: "orders" },
});
const ship = defineJob<{ order: string }, { order: string }, string>({
  ...{ name: "ship", queue: "orders" },
});
export const order = defineMachine({ name: "order", machine: chart, jobs: { charge, ship } });

/** What a node needs to host orders. */
export function orders({ effects }: Pick<OrdersConfig, "effects">) {
  const jobs = [charge, ship].map((job) =>
    job.handler(({ input, job: { id, name } }) => {
      appendFileSync(effects, `${name} ${input.order} ${id}\n`);
      return `${name} ${input.order}`;
    }),
  );
  return { machines: [order], jobs };
}
