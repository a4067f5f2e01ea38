// A job file that exports a machine, and no job.
import { defineMachine } from "millrace";
import { assign, fromPromise, setup } from "xstate";

const chart = setup({
  types: {
    context: {} as { token: string; by: string },
    input: {} as { token: string },
    events: {} as { type: "GO"; by: string },
  },
  actors: { greet: fromPromise<string>(async () => "hello") },
}).createMachine({
  context: ({ input }) => ({ token: input.token, by: "" }),
  initial: "greeting",
  states: {
    greeting: { invoke: { src: "greet", onDone: "waiting" } },
    waiting: {
      initial: "quiet",
      after: { 86_400_000: "gone" },
      on: { GO: { target: "gone", actions: assign({ by: ({ event }) => event.by }) } },
      states: { quiet: {} },
    },
    gone: { type: "final" },
  },
});

export const door = defineMachine({ name: "door", machine: chart });
