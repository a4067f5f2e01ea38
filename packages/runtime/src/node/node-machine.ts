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
  /** How long running jobs may go on after the first signal, milliseconds. */
  readonly graceMs: number;
}

/**
 * What comes after the grace has an end too, so that a supervisor can be given a time to kill by.
 * With the default grace of 20 s it is 28 s in all: within the 30 s that Kubernetes gives.
 */
const AFTER_GRACE_MS = 8_000;
/** Of a short grace; who gives little time doesn't want to wait long after it. */
const AFTER_GRACE_SHARE = 0.4;
/**
 * The end of the process comes out of that time too: it was seen to take up to 400 ms on a busy
 * machine.
 */
const END_MS = 500;
/** Shares of the rest: work is told to stop, then it is handed back, and that is confirmed. */
const SHARE = { aborting: 0.5, handingBack: 0.33, closing: 0.17 } as const;
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
    drainTime: ({ context }) => context.graceMs,
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

/** From the first signal to the end of the process, at most. */
export function stopTimeMs(graceMs: number): number {
  return graceMs + afterGraceMs(graceMs);
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
  const afterMs = afterGraceMs(graceMs);
  const sharedMs = Math.max(afterMs / 2, afterMs - END_MS);
  return Math.max(LEAST_MS, Math.floor(sharedMs * SHARE[phase]));
}

function afterGraceMs(graceMs: number): number {
  return Math.min(AFTER_GRACE_MS, Math.floor(graceMs * AFTER_GRACE_SHARE));
}
