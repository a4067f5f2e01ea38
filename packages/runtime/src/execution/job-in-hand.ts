import {
  type AnyJob,
  type AttemptTrace,
  type Children,
  type Delivery,
  type Envelope,
  MillraceError,
  type Outcome,
  type Timer,
} from "@millrace/core";
import type { EnteredLimits } from "../limits/entered-limits.ts";
import { AbortSwitch } from "./attempt/abort-switch.ts";
import type { ProgressReporter } from "./attempt/progress-reporter.ts";
import type { ExecutionHost } from "./execution-host.ts";
import { Pause } from "./pause.ts";
import type { FoundEnd } from "./recall/look-for-end.ts";

/**
 * What a job is busy with on this node. One way only, save that a job which waited for room at a
 * limit looks at all anew; any phase but the last may be left out.
 */
export type Phase = AdmissionPhase | "decided" | "attempting" | "settling" | "settled" | "ended";

/** In all but the first it waits for an answer. */
type AdmissionPhase = "arriving" | "recalling" | "parking" | "entering" | "quarantined";

const ADMISSION: ReadonlySet<Phase> = new Set<AdmissionPhase>([
  ...(["arriving", "recalling", "parking", "entering", "quarantined"] as const),
]);

/**
 * One delivery of a job on its way through a node: where it is, and what was found out about it.
 * One object for all steps: a second one would cost every job processor time.
 */
export abstract class JobInHand {
  readonly host: ExecutionHost;
  readonly delivery: Delivery;
  /** Tells the handler to stop. What follows depends on whether it does. */
  readonly abort: AbortSwitch;
  /**
   * Epoch milliseconds. Its token is of then: a server that was killed meanwhile hands the same
   * message to another, and both may begin in one moment.
   */
  readonly cameAt: number;
  /** How often the line had been lost by then. */
  readonly losses: number;
  phase: Phase = "arriving";
  /** Once it may run it is handed back instead, unspent. */
  goesBack = false;

  // Of its message, once that was read, or could not be.
  #envelope: Envelope | undefined;
  /** What is wrong with it, whoever would run it; undefined for nearly all. */
  refusal: Outcome | undefined;
  /** How often its holders died, or may have. */
  crashes = 0;

  // Of its admission.
  /** What its name stands for on this node. */
  definition: AnyJob | undefined;
  /**
   * Another node may have it, or have had it, so that whether it was over had to be asked: since
   * when, by the broker's clock.
   */
  sharedSince: number | undefined;
  /** It waited here behind an earlier delivery of its message. */
  waitedBehind = false;
  /** Set where it was over before it came. */
  found: FoundEnd | undefined;
  /** It is, or was, a suspect whose turn is on record. */
  isQuarantined = false;
  /** Set where it has limits to pass. */
  entered: EnteredLimits | undefined;
  /** When it came to its first limit, by the monotonic clock. */
  limitedSince: number | undefined;
  /** There was no room for it at a limit, nor to wait there. */
  waitsForRoom = false;

  // Of its run.
  /** Set when its attempt began, epoch milliseconds: for people. Durations are monotonic. */
  startedAt: number | undefined;
  startedMono = 0;
  /** From when the attempt could have started until it did. */
  waitedMs = 0;
  /** Of an attempt that is traced. */
  trace: AttemptTrace | undefined;
  /** Set where the handler has reported its progress. */
  progress: ProgressReporter | undefined;
  /** Set once the handler was called: what it has enqueued so far, and how many steps it took. */
  context:
    | {
        readonly children: Children | undefined;
        readonly steps: { readonly count: number } | undefined;
        close(): void;
      }
    | undefined;
  /** Of the timeout at first, of the grace once the handler was told to stop. */
  patience: Timer | undefined;
  #pause: Pause | undefined;

  constructor(host: ExecutionHost, delivery: Delivery) {
    this.host = host;
    this.delivery = delivery;
    this.cameAt = host.clock.now();
    this.losses = host.recentEnds.losses;
    this.abort = new AbortSwitch(delivery.lease);
  }

  get envelope(): Envelope {
    if (this.#envelope === undefined)
      throw new MillraceError("illegal-transition", "A job went on before it was read.");
    return this.#envelope;
  }

  set envelope(read: Envelope) {
    this.#envelope = read;
  }

  /** Whether its message was read, or could not be. */
  get isRead(): boolean {
    return this.#envelope !== undefined;
  }

  /** Whether it is still asked if it may run. */
  get isBeingAdmitted(): boolean {
    return ADMISSION.has(this.phase);
  }

  /** A getter, because what is awaited may end it. */
  get isOver(): boolean {
    return this.phase === "ended";
  }

  /**
   * What it is busy with has an outcome, by itself or from outside: it is settled, whatever is
   * waited for. Undefined where the job turned out to be over: it is abandoned.
   */
  abstract end(outcome: Outcome | undefined): void;
  /** There is a fault in this code; nothing more follows. */
  abstract brokeOff(fault: unknown): void;

  /** Waits before the next try; cut short by what ends a wait from outside. @param tries from 0 */
  rest(tries: number): Promise<void> {
    this.#pause ??= new Pause(this.host.clock);
    return this.#pause.wait(tries);
  }

  cutShort(): void {
    this.#pause?.cutShort();
  }
}
