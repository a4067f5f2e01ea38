import { defineMachine } from "millrace";
import { assign, setup } from "xstate";

/** A durable machine with nested states, a timer, a guard that is broken, and secrets. */
const chart = setup({
  types: {
    context: {} as { readonly customer: string; readonly password: string; readonly note: string },
    input: {} as { readonly customer: string },
    events: {} as
      | { readonly type: "ACCEPT" }
      | { readonly type: "NOTE"; readonly note: string }
      | { readonly type: "BOOM" },
  },
  guards: {
    boom: ({ context }) => {
      throw new Error(`The guard is broken for ${context.customer}, token=s3cr3t-value`);
    },
  },
}).createMachine({
  context: ({ input }) => ({ customer: input.customer, password: "hunter2hunter2", note: "" }),
  initial: "open",
  states: {
    open: {
      initial: "unread",
      after: { [7 * 86_400_000]: "lapsed" },
      on: {
        ACCEPT: "accepted",
        BOOM: { guard: "boom", target: "accepted" },
        NOTE: { target: ".read", actions: assign({ note: ({ event }) => event.note }) },
      },
      states: { unread: {}, read: {} },
    },
    accepted: { type: "final" },
    lapsed: { type: "final" },
  },
});
export const claim = defineMachine({ name: "claim", machine: chart });
