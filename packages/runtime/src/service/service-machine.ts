import { assign, fromPromise, setup, stateIn } from "xstate";
import type { Stoppable } from "@millrace/core";

interface Input {
  /** Brings the thing up. Rejecting is no disaster: it is tried again. */
  readonly open: () => Promise<Stoppable>;
  readonly retryMs: number;
  readonly onError: (error: unknown) => void;
}

/**
 * Something that is brought up by a promise, tried again when that fails, and taken down once.
 *
 * ```
 * idle ─START▶ opening ─▶ open ─STOP▶ closing ─▶ stopped
 *                │  ▲
 *                ▼  │ after retryMs
 *              waiting
 * ```
 * STOP is taken in every state. While opening it waits for the promise, so that nothing opened is
 * forgotten.
 */
export const serviceMachine = setup({
  types: {
    input: {} as Input,
    context: {} as Input & { readonly opened: Stoppable | undefined },
    events: {} as { type: "START" } | { type: "STOP" },
  },
  actors: {
    open: fromPromise<Stoppable, Input>(({ input }) => input.open()),
    close: fromPromise<void, Stoppable | undefined>(async ({ input }) => input?.stop()),
  },
  guards: { unwanted: stateIn({ opening: "unwanted" }) },
  delays: { retry: ({ context }) => context.retryMs },
}).createMachine({
  id: "service",
  context: ({ input }) => ({ ...input, opened: undefined }),
  initial: "idle",
  states: {
    idle: { on: { START: "opening", STOP: "stopped" } },
    opening: {
      initial: "wanted",
      states: {
        wanted: { on: { STOP: "unwanted" } },
        unwanted: {},
      },
      invoke: {
        src: "open",
        input: ({ context }) => context,
        onDone: [
          {
            guard: "unwanted",
            target: "closing",
            actions: assign({ opened: ({ event }) => event.output }),
          },
          { target: "open", actions: assign({ opened: ({ event }) => event.output }) },
        ],
        onError: [
          { guard: "unwanted", target: "stopped" },
          { target: "waiting", actions: ({ context, event }) => context.onError(event.error) },
        ],
      },
    },
    waiting: { after: { retry: "opening" }, on: { STOP: "stopped" } },
    open: { on: { STOP: "closing" } },
    closing: {
      invoke: {
        src: "close",
        input: ({ context }) => context.opened,
        onDone: "stopped",
        onError: {
          target: "stopped",
          actions: ({ context, event }) => context.onError(event.error),
        },
      },
    },
    stopped: { type: "final" },
  },
});
