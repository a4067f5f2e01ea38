import type { HeldLock, LockView } from "@millrace/core";
import { assign, fromCallback, fromPromise, setup } from "xstate";
import { leaseTime, LONGEST_SLEEP_MS, RELEASE_PATIENCE_MS, WAITER_RETRY_MS } from "./lease-time.ts";

/**
 * The lock under its latest token, with the times of the clock (`monotonic`) between which it is
 * this holder's.
 */
export interface LeaseTerm {
  readonly lock: HeldLock;
  /** Before the write that began the lease was sent. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What the lock's machine has done for it. `lockDuties` makes them of a store. */
export interface LockDuties {
  readonly leaseMs: number;
  readonly acquire: () => Promise<LeaseTerm | undefined>;
  readonly renew: (term: LeaseTerm) => Promise<LeaseTerm>;
  /**
   * Until when the lock is held, by the clock: the term's own end, or later where the store
   * extended it meanwhile.
   */
  readonly heldUntilMs: (term: LeaseTerm) => number;
  /** Calls back once, when that has passed. Returns the end of it. */
  readonly watch: (term: LeaseTerm, lapsed: () => void) => () => void;
  /** Also while a renewal is under way. */
  readonly release: (term: LeaseTerm) => Promise<void>;
  readonly look: () => Promise<LockView | undefined>;
  /** Calls back when listening, on each release, and when it failed. Returns the end of it. */
  readonly listen: (tell: (event: Heard) => void) => () => void;
  /** The monotonic clock. */
  readonly now: () => number;
  /** When the waiting is over, by that clock. Infinity: never. */
  readonly waitUntilMs: number;
  readonly isPatient: boolean;
  readonly jitter: (source: "release" | "expiry") => number;
  /** Whether waiting may cure it. */
  readonly isPassing: (error: unknown) => boolean;
  readonly isLoss: (error: unknown) => boolean;
  readonly onGranted: (term: LeaseTerm) => void;
  readonly onTrouble: (doing: "acquire" | "renew" | "release", error: unknown) => void;
  /** May be called twice; the first reason stands. */
  readonly onLost: (superseded?: unknown) => void;
}

/** LISTENING and RELEASED tell of others; DEAF that nothing will be told. */
export type Heard =
  | { readonly type: "LISTENING" }
  | { readonly type: "RELEASED" }
  | { readonly type: "DEAF"; readonly error: unknown };

interface Context {
  readonly duties: LockDuties;
  /** Set by what enters `holding`. */
  readonly term: LeaseTerm | undefined;
  /** The holder's, from the last look. */
  readonly theirsLeftMs: number;
  readonly error: unknown;
}

/**
 * One request for a lock.
 *
 * ```
 * idle ─START▶ acquiring ─▶ holding (held ⇄ renewing) ─RELEASE▶ releasing ─▶ released
 *                 │  ▲           └─ superseded, or the lease can be over ──▶ lost
 *          taken  ▼  │
 *              waiting (opening ─▶ looking ⇄ sleeping ─RELEASED▶ stirring ─▶ acquiring) ─▶ busy
 * ```
 * `waiting` ends in `busy` when its wait is over. GIVE_UP is taken before `holding` and leads to
 * `givenUp`; an acquisition that is under way then is released by the duty when it ends. A waiter
 * listens before it looks, and looks after every try that failed, so no release escapes it. A store
 * that can't be reached sends a waiter to `pausing`; anything that waiting can't cure ends in
 * `failed`.
 */
export const lockMachine = setup({
  types: {
    input: {} as LockDuties,
    context: {} as Context,
    events: {} as
      { type: "START" } | { type: "GIVE_UP" } | { type: "RELEASE" } | { type: "LAPSED" } | Heard,
  },
  actors: {
    acquire: fromPromise<LeaseTerm | undefined, LockDuties>(async ({ input, signal }) => {
      const term = await input.acquire();
      // Nobody wants it any more: the one who acquired it is the only one who can free it.
      if (signal.aborted && term !== undefined) await input.release(term);
      return term;
    }),
    look: fromPromise<LockView | undefined, LockDuties>(({ input }) => input.look()),
    listen: fromCallback<Heard, LockDuties>(({ input, sendBack }) => input.listen(sendBack)),
    watch: fromCallback<{ type: "none" }, Context>(({ input, sendBack }) =>
      input.duties.watch(termOf(input), () => sendBack({ type: "LAPSED" })),
    ),
    renew: fromPromise<LeaseTerm, Context>(({ input }) => input.duties.renew(termOf(input))),
    release: fromPromise<void, Context>(({ input }) => input.duties.release(termOf(input))),
  },
  actions: { grant: ({ context }) => context.duties.onGranted(termOf(context)) },
  guards: {
    patient: ({ context }) => context.duties.isPatient,
    overdue: ({ context: { duties }, context }) =>
      duties.now() >= duties.heldUntilMs(termOf(context)),
  },
  delays: {
    waitLeft: ({ context: { duties } }) => Math.max(0, duties.waitUntilMs - duties.now()),
    theirLease: ({ context }) =>
      Math.min(context.theirsLeftMs, LONGEST_SLEEP_MS) + context.duties.jitter("expiry"),
    stir: ({ context }) => context.duties.jitter("release"),
    pause: WAITER_RETRY_MS,
    renewal: ({ context }) => {
      const { duties } = context;
      return Math.max(
        0,
        termOf(context).fromMs + leaseTime.renewAfterMs(duties.leaseMs) - duties.now(),
      );
    },
    renewAgain: ({ context }) => leaseTime.renewAgainMs(context.duties.leaseMs),
    releasePatience: RELEASE_PATIENCE_MS,
  },
}).createMachine({
  id: "lock",
  context: ({ input }) => ({ duties: input, term: undefined, theirsLeftMs: 0, error: undefined }),
  initial: "idle",
  states: {
    idle: { on: { START: "acquiring", GIVE_UP: "givenUp" } },
    acquiring: {
      on: { GIVE_UP: "givenUp" },
      invoke: {
        src: "acquire",
        input: ({ context }) => context.duties,
        onDone: [
          {
            guard: ({ event }) => event.output !== undefined,
            target: "holding",
            actions: [assign({ term: ({ event }) => event.output }), "grant"],
          },
          { guard: "patient", target: "waiting" },
          { target: "busy" },
        ],
        onError: [
          {
            guard: ({ context: { duties }, event }) =>
              duties.isPatient && duties.isPassing(event.error),
            target: "pausing",
            actions: assign({ error: ({ event }) => event.error }),
          },
          { target: "failed", actions: assign({ error: ({ event }) => event.error }) },
        ],
      },
    },
    waiting: {
      initial: "opening",
      invoke: { src: "listen", input: ({ context }) => context.duties },
      after: { waitLeft: "busy" },
      on: {
        GIVE_UP: "givenUp",
        DEAF: [
          {
            guard: ({ context, event }) => context.duties.isPassing(event.error),
            target: "pausing",
            actions: assign({ error: ({ event }) => event.error }),
          },
          { target: "failed", actions: assign({ error: ({ event }) => event.error }) },
        ],
      },
      states: {
        opening: { on: { LISTENING: "looking" } },
        looking: {
          // What is being read may be from before the release.
          on: { RELEASED: "stirring" },
          invoke: {
            src: "look",
            input: ({ context }) => context.duties,
            onDone: [
              { guard: ({ event }) => event.output === undefined, target: "acquiring" },
              {
                target: "sleeping",
                actions: assign({ theirsLeftMs: ({ event }) => event.output?.leftMs ?? 0 }),
              },
            ],
            onError: [
              {
                guard: ({ context, event }) => context.duties.isPassing(event.error),
                target: "#lock.pausing",
                actions: assign({ error: ({ event }) => event.error }),
              },
              { target: "#lock.failed", actions: assign({ error: ({ event }) => event.error }) },
            ],
          },
        },
        sleeping: { on: { RELEASED: "stirring" }, after: { theirLease: "looking" } },
        stirring: { after: { stir: "acquiring" } },
        acquiring: {
          invoke: {
            src: "acquire",
            input: ({ context }) => context.duties,
            onDone: [
              {
                guard: ({ event }) => event.output !== undefined,
                target: "#lock.holding",
                actions: [assign({ term: ({ event }) => event.output }), "grant"],
              },
              { target: "looking" },
            ],
            onError: [
              {
                guard: ({ context, event }) => context.duties.isPassing(event.error),
                target: "#lock.pausing",
                actions: assign({ error: ({ event }) => event.error }),
              },
              { target: "#lock.failed", actions: assign({ error: ({ event }) => event.error }) },
            ],
          },
        },
      },
    },
    pausing: {
      entry: ({ context }) => context.duties.onTrouble("acquire", context.error),
      on: { GIVE_UP: "givenUp" },
      // Whether the lock is busy is not known then: the error says more.
      after: { pause: "waiting", waitLeft: "failed" },
    },
    holding: {
      initial: "held",
      invoke: { src: "watch", input: ({ context }) => context },
      on: { RELEASE: "releasing", LAPSED: "lost" },
      states: {
        held: { after: { renewal: "renewing" } },
        renewing: {
          // A process that was frozen wakes here as well as at the end of its lease, in either
          // order.
          always: { guard: "overdue", target: "#lock.lost" },
          invoke: {
            src: "renew",
            input: ({ context }) => context,
            onDone: [
              { guard: "overdue", target: "#lock.lost" },
              {
                target: "#lock.holding",
                reenter: true,
                actions: assign({ term: ({ event }) => event.output }),
              },
            ],
            onError: [
              {
                guard: ({ context, event }) => context.duties.isLoss(event.error),
                target: "#lock.lost",
                actions: ({ context, event }) => context.duties.onLost(event.error),
              },
              {
                target: "retrying",
                actions: ({ context, event }) => context.duties.onTrouble("renew", event.error),
              },
            ],
          },
        },
        retrying: { after: { renewAgain: "renewing" } },
      },
    },
    releasing: {
      invoke: {
        src: "release",
        input: ({ context }) => context,
        onDone: "released",
        onError: {
          target: "released",
          actions: ({ context, event }) => context.duties.onTrouble("release", event.error),
        },
      },
      after: { releasePatience: "released" },
    },
    released: { type: "final" },
    lost: { type: "final", entry: ({ context }) => context.duties.onLost() },
    busy: { type: "final" },
    givenUp: { type: "final" },
    failed: { type: "final" },
  },
});

function termOf({ term }: Context): LeaseTerm {
  if (term === undefined) throw new TypeError("This lock was never acquired.");
  return term;
}
