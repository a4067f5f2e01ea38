import { fromPromise, setup } from "xstate";

/** What the node's machine has done for it. */
export interface NodeDuties {
  /** Binds everything. Rejecting ends the node. */
  readonly open: (signal: AbortSignal) => Promise<void>;
  /** Not ready any more; pulls nothing new. */
  readonly stopPulling: () => void;
  /** Resolves when no execution is left. */
  readonly idle: () => Promise<void>;
  readonly abortAll: () => void;
  readonly handBackAll: () => void;
  /** Lets go of everything else. */
  readonly close: () => Promise<void>;
  readonly onFailure: (error: unknown) => void;
  /** From the first signal to the exit, milliseconds. */
  readonly graceMs: number;
}

/**
 * The end of the process comes out of the grace too: it was seen to take up to 400 ms on a busy
 * machine.
 */
const END_MS = 500;
/**
 * Shares of the rest: work may end, then it is told to stop, then it is handed back, and what is
 * left is for confirming that.
 */
const SHARE = { draining: 0.7, aborting: 0.15, handingBack: 0.1, closing: 0.05 } as const;
/** Below this a share would leave no time for one round trip. */
export const LEAST_MS = 100;

/**
 * A node's life.
 *
 * ```
 * idle ─START▶ starting ─▶ running ─STOP▶ draining ─▶ aborting ─▶ handingBack ─▶ closing ─▶ stopped
 *                 │                          └───────── nothing left to do ─────────▲
 *                 └─ failed to open ──────────────────────────────────────────────▶─┘
 * ```
 * HURRY (a second signal) goes straight to handing back.
 */
export const nodeMachine = setup({
  types: {
    input: {} as NodeDuties,
    context: {} as NodeDuties,
    events: {} as { type: "START" } | { type: "STOP" } | { type: "HURRY" },
  },
  actors: {
    open: fromPromise<void, NodeDuties>(({ input, signal }) => input.open(signal)),
    idle: fromPromise<void, NodeDuties>(({ input }) => input.idle()),
    close: fromPromise<void, NodeDuties>(({ input }) => input.close()),
  },
  delays: {
    drainTime: ({ context }) => drainTimeMs(context.graceMs),
    abortTime: ({ context }) => share(context, "aborting"),
    handBackTime: ({ context }) => share(context, "handingBack"),
    closeTime: ({ context }) => share(context, "closing"),
  },
}).createMachine({
  id: "node",
  context: ({ input }) => input,
  initial: "idle",
  states: {
    // Nothing is open yet, but what the node was given has to be closed all the same.
    idle: { on: { START: "starting", STOP: "closing", HURRY: "closing" } },
    starting: {
      invoke: {
        src: "open",
        input: ({ context }) => context,
        onDone: "running",
        onError: {
          target: "closing",
          actions: ({ context, event }) => context.onFailure(event.error),
        },
      },
      on: { STOP: "draining", HURRY: "handingBack" },
    },
    running: { on: { STOP: "draining", HURRY: "handingBack" } },
    draining: {
      entry: ({ context }) => context.stopPulling(),
      invoke: { src: "idle", input: ({ context }) => context, onDone: "closing" },
      after: { drainTime: "aborting" },
      on: { HURRY: "handingBack" },
    },
    aborting: {
      entry: ({ context }) => context.abortAll(),
      invoke: { src: "idle", input: ({ context }) => context, onDone: "closing" },
      after: { abortTime: "handingBack" },
      on: { HURRY: "handingBack" },
    },
    handingBack: {
      entry: ({ context }) => {
        context.stopPulling();
        context.handBackAll();
      },
      invoke: { src: "idle", input: ({ context }) => context, onDone: "closing" },
      after: { handBackTime: "closing" },
    },
    closing: {
      invoke: {
        src: "close",
        input: ({ context }) => context,
        onDone: "stopped",
        onError: {
          target: "stopped",
          actions: ({ context, event }) => context.onFailure(event.error),
        },
      },
      after: { closeTime: "stopped" },
    },
    stopped: { type: "final" },
  },
});

export type NodeState =
  "idle" | "starting" | "running" | "draining" | "aborting" | "handingBack" | "closing" | "stopped";

/** How long running jobs may go on. */
export function drainTimeMs(graceMs: number): number {
  return share({ graceMs }, "draining");
}

/** How long a stopping node waits for what it closes. */
export function closeTimeMs(graceMs: number): number {
  return share({ graceMs }, "closing");
}

/** The same from when it hands back. */
export function handBackTimeMs(graceMs: number): number {
  return share({ graceMs }, "handingBack") + closeTimeMs(graceMs);
}

function share({ graceMs }: Pick<NodeDuties, "graceMs">, phase: keyof typeof SHARE): number {
  const sharedMs = Math.max(graceMs / 2, graceMs - END_MS);
  return Math.max(LEAST_MS, Math.floor(sharedMs * SHARE[phase]));
}
