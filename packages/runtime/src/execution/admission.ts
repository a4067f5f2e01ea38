import { type AnyJob, crashesOf, type Outcome } from "@millrace/core";
import { type Limit, limitsOn } from "../limits/limit.ts";
import { EnteredLimits } from "../limits/entered-limits.ts";
import { AdmissionStage, type StageOwner } from "./admission-stage.ts";
import { type Admitted, admit } from "./admit.ts";
import type { JobInHand } from "./job-in-hand.ts";
import { needsRoom, parkedFull } from "../limits/parked-full.ts";
import { outcomeOfAbort } from "./interpret.ts";
import { type FoundEnd, outcomeOfEnd } from "./recall/look-for-end.ts";
import { Recall } from "./recall/recall.ts";
import { reportRedelivered } from "./report.ts";
import { isSuspect } from "./recall/quarantine.ts";

/**
 * The job to run; or the outcome under which it is settled without a run, where `yields` says that
 * a limit sends it to wait and that what is left to do takes no slot; or `"unknown"`: neither is
 * known to be right, and the job is left to its next holder.
 */
export type AdmissionResult =
  { readonly job: AnyJob } | { readonly refusal: Outcome; readonly yields?: true } | "unknown";

/** In a pause's steps: as long as a count that shows no room is believed. */
const ROOM_PAUSE = 1;

/** Where there was no room at a limit all is looked at anew, after a pause. */
type Answer = AdmissionResult | "again";

/**
 * From a message that was read to the moment in which its handler may be called, or to the outcome
 * under which it is settled instead: recall (redeliveries, and what may be one) → admit → limits
 * (jobs that wait for each other only) → quarantine (suspects only). A producer's job whose start
 * is yet to come is parked instead.
 *
 * What comes from outside meanwhile ends the step that is under way: `run` answers at once, and the
 * step finds that nobody waits for it any more.
 */
export class Admission implements StageOwner {
  readonly #of: JobInHand;
  readonly #refusal: Outcome | undefined;
  readonly #crashes: number;
  readonly #stage: AdmissionStage;
  #definition: AnyJob | undefined;
  #recall: Recall | undefined;
  #found: FoundEnd | undefined;
  #hasBegunQuarantine = false;
  #entered: EnteredLimits | undefined;
  #limitedSince: number | undefined;
  #waitsForRoom = false;
  /** Once it may run it is handed back instead. */
  #goesBack: boolean;
  /** Set while something is waited for. */
  #answer: ((result: AdmissionResult) => void) | undefined;

  /**
   * @param refusal what is wrong with it, whoever would run it; undefined for nearly all
   * @param declined there is no slot for it here: whatever lets it in, it is handed back unspent
   */
  constructor(of: JobInHand, refusal: Outcome | undefined, declined: boolean) {
    this.#of = of;
    this.#refusal = refusal;
    this.#goesBack = declined;
    this.#stage = new AdmissionStage(of, this);
    const { envelope, delivery } = of;
    this.#crashes = crashesOf({ envelope, deliveryCount: delivery.deliveryCount });
  }

  /** What the job's name stands for on this node. */
  get definition(): AnyJob | undefined {
    return this.#definition;
  }

  /** Set where it may have been over before it came. */
  get recall(): Pick<Recall, "sharedSince" | "waitedUntil"> | undefined {
    return this.#recall;
  }

  /** Set where it was over. */
  get found(): FoundEnd | undefined {
    return this.#found;
  }

  /** It is a suspect, and its turn is on record. */
  get isQuarantined(): boolean {
    return this.#hasBegunQuarantine || this.#recall?.isQuarantined === true;
  }

  /** Set where the job has limits to pass. */
  get entered(): EnteredLimits | undefined {
    return this.#entered;
  }

  /** When it came to its first limit, by the monotonic clock. */
  get limitedSince(): number | undefined {
    return this.#limitedSince;
  }

  /** In one turn, where nothing is to be asked. */
  run(): AdmissionResult | Promise<AdmissionResult> {
    if (this.#crashes > 0) this.#of.host.quarantine.arrived(this);
    const answer = this.#decide();
    if (!(answer instanceof Promise)) return answer;
    return new Promise((resolve, reject) => {
      this.#answer = resolve;
      this.#untilDecided(answer).then(resolve, reject);
    });
  }

  async #untilDecided(first: Promise<Answer>): Promise<AdmissionResult> {
    for (let next: AdmissionResult | Promise<Answer> = first; ; next = this.#decide()) {
      const answer = await next;
      if (answer !== "again") return answer;
    }
  }

  #decide(): AdmissionResult | Promise<Answer> {
    return this.#mayBeOver ? this.#recallFirst() : this.#admit(false);
  }

  /** Whether the job may be over already, or have been cancelled without this node's hearing it. */
  get #mayBeOver(): boolean {
    const { host, delivery, envelope } = this.#of;
    const { recentEnds } = host;
    const { deliveryCount, message } = delivery;
    return (
      deliveryCount > 1 ||
      this.#crashes >= host.poisonAfter ||
      envelope.sharedSince !== undefined ||
      recentEnds.mayConcern(envelope, message) ||
      (recentEnds.reachesBack(message) && host.hasInHand(delivery)) ||
      host.cancellations.isBehind
    );
  }

  /**
   * While it waits there is nothing to keep any more. In the turn in which it looks it is asked
   * once more before the job begins.
   */
  loseLease(): void {
    if (this.#stage.now === "recalling" || this.#stage.isAdmitted) this.leaseWasLost();
  }

  leaseWasLost(): void {
    this.#interrupt({ kind: "lease-lost" });
  }

  /** Before the admission there is nothing to do, because that asks. */
  heedCancellation(reason: string): void {
    if (this.#stage.isAdmitted) this.#interrupt({ kind: "cancelled", reason });
    else if (this.#stage.now === "over") this.#of.abort.abort("cancelled", reason);
  }

  /** The job goes back unspent where it only waits for room at a limit. */
  giveUpWaiting(): void {
    if (this.#waitsForRoom && this.#stage.now === "entering")
      this.#interrupt({ kind: "interrupted" });
  }

  /**
   * The node stops. Whether an earlier holder has settled a job that is being recalled isn't known
   * before the answer, so it goes back with that; without one it is abandoned when the node closes.
   */
  handBack(): void {
    const { reason } = this.#of.abort;
    if (this.#stage.isAdmitted && reason !== undefined) this.#interrupt(outcomeOfAbort(reason));
    else this.#goesBack = true;
  }

  /** Nothing is waited for any more. */
  end(): void {
    this.#stage.end();
  }

  /** The job is settled, or left: what it kept from others goes. */
  leave(): void {
    this.end();
    // Where it was settled they are left already; otherwise nobody waits for this.
    void this.#entered?.leave(undefined);
    this.#of.host.quarantine.left(this);
  }

  #interrupt(outcome: Outcome): void {
    this.#answer?.(this.#refuse(outcome));
  }

  #refuse(refusal: Outcome): AdmissionResult {
    this.end();
    return { refusal };
  }

  async #recallFirst(): Promise<Answer> {
    const { host, delivery, envelope } = this.#of;
    if (!this.#stage.enter("recalling")) return "unknown";
    if (delivery.deliveryCount > 1) reportRedelivered(host, envelope, delivery.deliveryCount);
    const recall = (this.#recall ??= new Recall({
      host,
      delivery,
      envelope,
      crashes: this.#crashes,
      suspect: this,
      isWanted: () => this.#stage.now === "recalling",
      pause: (tries) => this.#stage.rest(tries),
    }));
    // Running a settled job again would be worse than waiting; when the lease goes meanwhile, the
    // next holder asks.
    const found = (await this.#stage.ask(() => recall.ask()))?.answer;
    if (found === undefined || "isRunning" in found) return "unknown";
    if ("isPoison" in found) return this.#admit(found.isPoison);
    this.#found = outcomeOfEnd(found.end);
    return this.#refuse(this.#found.outcome);
  }

  #admit(isPoison: boolean): AdmissionResult | Promise<Answer> {
    const { host, delivery, envelope, abort } = this.#of;
    const { message, deliveryCount } = delivery;
    const unrun = host.settleUnrun?.(envelope, message) ?? this.#refusal;
    if (unrun !== undefined) return this.#refuse(unrun);
    this.#definition = host.registry.get(envelope.name, envelope.queue);
    const cancellation = host.cancellations.of(envelope);
    if (cancellation !== undefined) {
      if (message.origin !== "runtime" || message.headers["millrace-permit"] === undefined)
        return this.#refuse({ kind: "cancelled", reason: cancellation.reason });
      // The node that let it in handed it a permit. It goes through the limit, to hand the permit
      // on instead of keeping it from others.
      abort.abort("cancelled", cancellation.reason);
    }
    const admitted = admit({
      envelope,
      job: this.#definition,
      message,
      deliveryCount,
      now: host.clock.now(),
      isPoison,
    });
    if ("refusal" in admitted)
      return admitted.refusal.kind === "deferred"
        ? this.#park(admitted.refusal)
        : this.#refuse(admitted.refusal);
    if (this.#goesBack) return this.#refuse({ kind: "interrupted" });
    const limits = limitsOn(host.limits, envelope, admitted.job);
    return limits.length === 0 ? this.#quarantine(admitted) : this.#enterLimits(limits, admitted);
  }

  /** A producer's job is to start later: there may be only so many of those. */
  async #park(deferral: Outcome): Promise<Answer> {
    const { host, envelope } = this.#of;
    if (!this.#stage.enter("parking")) return "unknown";
    const asked = await this.#stage.ask(() => host.parked.take(envelope.queue, "delayed"));
    if (asked === undefined) return "unknown";
    const most = asked.answer;
    return this.#refuse(most === undefined ? deferral : parkedFull(envelope.queue, most));
  }

  async #enterLimits(limits: readonly Limit[], admitted: Admitted): Promise<Answer> {
    const { host, delivery, envelope, abort } = this.#of;
    if (!this.#stage.enter("entering")) return "unknown";
    this.#limitedSince ??= host.clock.monotonic();
    const { message, deliveryCount } = delivery;
    const entrant = { envelope, job: admitted.job, message, deliveryCount };
    const held = new EnteredLimits(host.log, () =>
      abort.abort("lock-lost", "The lock that lets this job run could not be kept."),
    );
    this.#entered = held;
    for (const limit of limits) {
      const asked = await this.#stage.ask(() => held.enter(limit, entrant));
      if (asked === undefined) return "unknown";
      if (asked.answer !== undefined) return this.#blockOrWait(asked.answer, held);
    }
    return this.#quarantine(admitted);
  }

  async #blockOrWait(refusal: Outcome, held: EnteredLimits): Promise<Answer> {
    const mayWaitThere = await this.#mayWaitThere(refusal);
    if (this.#stage.now !== "entering") return "unknown";
    if (mayWaitThere) {
      this.end();
      return { refusal, yields: true };
    }
    const { reason } = this.#of.abort;
    if (reason !== undefined) return this.#refuse(outcomeOfAbort(reason));
    // What it was let in with at other limits must not be kept from others meanwhile. Afterwards
    // all is looked at anew: it may have expired.
    this.#waitsForRoom = true;
    await held.leave(undefined);
    await this.#stage.rest(ROOM_PAUSE);
    return this.#stage.now === "entering" ? "again" : "unknown";
  }

  /** Whether there is room for one more at the gates of the queue. */
  async #mayWaitThere(refusal: Outcome): Promise<boolean> {
    const { host, delivery, envelope } = this.#of;
    if (!needsRoom(refusal, delivery)) return true;
    const asked = await this.#stage.ask(() => host.parked.take(envelope.queue, "blocked"));
    return asked !== undefined && asked.answer === undefined;
  }

  #quarantine(admitted: Admitted): AdmissionResult | Promise<Answer> {
    const { quarantine, poisonAfter, clock } = this.#of.host;
    if (!isSuspect(this.#crashes, poisonAfter)) {
      if (this.#crashes > 0) quarantine.cleared(this);
      return this.#finish(admitted);
    }
    if (!this.#stage.enter("quarantined")) return "unknown";
    const turn = Promise.withResolvers<void>();
    const awayMs = quarantine.ask(this, turn.resolve);
    return awayMs === undefined
      ? this.#beginQuarantine(admitted, turn.promise)
      : this.#refuse({ kind: "deferred", untilMs: clock.now() + awayMs });
  }

  /**
   * The turn goes on record before the handler is called, or a crash would leave no trace of whose
   * it was.
   */
  async #beginQuarantine(admitted: Admitted, turn: Promise<void>): Promise<Answer> {
    const { host, delivery, envelope } = this.#of;
    await turn;
    const begun = await this.#stage.ask(async () => {
      await host.begunRuns.begin(envelope, delivery.message);
      this.#hasBegunQuarantine = true;
    });
    return begun === undefined ? "unknown" : this.#finish(admitted);
  }

  #finish(admitted: Admitted): AdmissionResult {
    const { delivery, abort } = this.#of;
    if (abort.reason !== undefined) return this.#refuse(outcomeOfAbort(abort.reason));
    // What lay in the socket while the event loop was stalled may be another's by now; nobody has
    // said so yet.
    if (!delivery.lease.isHeld()) return this.#refuse({ kind: "lease-lost" });
    this.#stage.end();
    return admitted;
  }
}
