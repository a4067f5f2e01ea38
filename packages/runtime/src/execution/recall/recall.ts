import type { Delivery, Envelope, JobEnd } from "@millrace/core";
import type { ExecutionHost } from "../execution-host.ts";
import { lookForEnd } from "./look-for-end.ts";

export interface RecallOptions {
  readonly host: ExecutionHost;
  readonly delivery: Delivery;
  readonly envelope: Envelope;
  /** How often its holders died, or may have. */
  readonly crashes: number;
  /** What the suspects know the job by. */
  readonly suspect: object;
  /** Whether the answer is still waited for. */
  readonly isWanted: () => boolean;
  /** @param tries how often it was waited before, from 0 */
  readonly pause: (tries: number) => Promise<void>;
}

/**
 * The end of a job that is over already; or that it runs, on a node that may end it without a run;
 * or whether it is to be buried for its crashes.
 */
export type Recalled =
  { readonly end: JobEnd } | { readonly isRunning: true } | { readonly isPoison: boolean };

/** How long a node has to answer that it runs a job. */
const WHO_RUNS_MS = 400;
/** In a pause's steps: a second. */
const FATE_PAUSE = 3;

/**
 * What became of a job whose message may have come before.
 *
 * A message that comes again was left without an ack. Whether its holder died before or after it
 * had settled the job, and whether the job has gone on or ended since by another message, is asked
 * of all that there is of the job. The same where the server was killed and does not know that it
 * comes again. Whether the crashes around it were its own doing is known from its quarantine.
 */
export class Recall {
  readonly #options: RecallOptions;
  #sharedSince: number | undefined;
  #isQuarantined = false;
  #waitedUntil: number | undefined;

  constructor(options: RecallOptions) {
    this.#options = options;
  }

  /**
   * Another node may have it, or have had it, so that whether it was over had to be asked: since
   * when, by the broker's clock.
   */
  get sharedSince(): number | undefined {
    return this.#sharedSince;
  }

  /** It was a suspect whose turn is on record. */
  get isQuarantined(): boolean {
    return this.#isQuarantined;
  }

  /** Until when it waited here behind an earlier delivery of its message, epoch milliseconds. */
  get waitedUntil(): number | undefined {
    return this.#waitedUntil;
  }

  /** @throws what the broker says; then it can be asked again */
  async ask(): Promise<Recalled> {
    const { host, delivery, envelope } = this.#options;
    const { message, deliveryCount } = delivery;
    const mayBeOver =
      deliveryCount > 1 ||
      envelope.sharedSince !== undefined ||
      host.hasInHand(delivery) ||
      (await host.recentEnds.concerns(envelope, message));
    if (mayBeOver) this.#sharedSince = envelope.sharedSince ?? Math.floor(message.storedAt);
    if (mayBeOver) await this.#waitBehindEarlier();
    if (!this.#options.isWanted()) return { isPoison: false };
    const end = mayBeOver ? (await lookForEnd(host.broker, envelope, message)).end : undefined;
    const isPoison = end === undefined && (await this.#isPoison());
    // What the admission asks has to be known by then: a job may have been cancelled while this
    // node was cut off.
    if (host.cancellations.isBehind) await host.cancellations.catchUp();
    if (end !== undefined) return { end };
    return mayBeOver && (await this.#runs()) ? { isRunning: true } : { isPoison };
  }

  /**
   * Asked last, and only where nothing is run, by a purge: a holder that was frozen may have begun
   * it while it was looked for.
   */
  async #runs(): Promise<boolean> {
    return this.#options.host.settleUnrun !== undefined && (await this.#isHeld());
  }

  async #isHeld(): Promise<boolean> {
    const { host, envelope } = this.#options;
    const { id, queue, createdAt } = envelope;
    const holder = await host.broker.whoRuns(id, { timeoutMs: WHO_RUNS_MS, queue, createdAt });
    return holder !== undefined;
  }

  /**
   * This node has the message in hand by an earlier delivery: its end is awaited and asked for, or
   * both would run and neither find the other's. In no danger meanwhile, because the earlier one
   * may be a suspect, which waits until nobody else is.
   */
  async #waitBehindEarlier(): Promise<void> {
    const { host, delivery, suspect, crashes, isWanted, pause } = this.#options;
    for (let tries = 0; isWanted() && host.hasInHand(delivery); tries += 1) {
      host.quarantine.cleared(suspect);
      await pause(tries);
      if (crashes > 0 && isWanted()) host.quarantine.arrived(suspect);
      this.#waitedUntil = host.clock.now();
    }
  }

  /**
   * Too many crashes, and the last of them its own: it was the suspect whose turn it was, and the
   * node that ran it is dead.
   */
  async #isPoison(): Promise<boolean> {
    const { host, delivery, envelope, crashes, isWanted, pause } = this.#options;
    if (crashes < host.poisonAfter) return false;
    // Then nobody is a suspect before it is dead, and so nobody knows who had it.
    if (host.poisonAfter === 1) return !(await this.#isHeld());
    const holder = await host.begunRuns.begun(envelope, delivery.message);
    this.#isQuarantined = holder !== undefined;
    if (holder === undefined) return false;
    const since = await host.broker.serverNow();
    while (isWanted()) {
      const takenDown = await host.begunRuns.wasTakenDown(holder, since);
      if (takenDown !== undefined) return takenDown;
      // A heartbeat will tell, or that there is none.
      await pause(FATE_PAUSE);
    }
    return false;
  }
}
