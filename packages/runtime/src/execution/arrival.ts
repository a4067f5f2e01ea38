import {
  type AnyJob,
  crashesOf,
  type Delivery,
  type Envelope,
  type JobEnd,
  type Outcome,
  type RunningJob,
  type StoredDeadLetter,
} from "@millrace/core";
import type { Entrant, Gate } from "../gates/gate.ts";
import { Passes } from "../gates/passes.ts";
import type { AbortSwitch } from "./abort-switch.ts";
import { admit } from "./admit.ts";
import type { ExecutionHost } from "./execution-host.ts";
import { parkedFull } from "../parking/parked-full.ts";
import { outcomeOfAbort } from "./interpret.ts";
import { lookForEnd, outcomeOfEnd, type WhereItIs } from "./look-for-end.ts";
import { Pause } from "./pause.ts";
import { reportRedelivered, reportTrouble } from "./report.ts";
import { isSuspect } from "./suspects.ts";

/** What its execution hears of an arrival. One of the four, once, and nothing after `end()`. */
export interface ArrivalOwner {
  /** The handler may be called. */
  arrivalAdmitted(job: AnyJob): void;
  /** The job is settled without being run. */
  arrivalRefused(outcome: Outcome): void;
  /** The same by a gate, which sends the job to wait: what is left to do takes no slot. */
  arrivalSentToWait(outcome: Outcome): void;
  /** Neither is known to be right: the job is left to its next holder. */
  arrivalLeft(): void;
}

export interface ArrivalOptions {
  readonly host: ExecutionHost;
  readonly delivery: Delivery;
  readonly envelope: Envelope;
  readonly abort: AbortSwitch;
  /** What is wrong with it, whoever would run it; undefined for nearly all. */
  readonly refusal: Outcome | undefined;
  /** There is no slot for it here: whatever lets it in, it is handed back unspent. */
  readonly declined: boolean;
  /** Called as an object, not by closures: a node takes in some ten thousand jobs a second. */
  readonly owner: ArrivalOwner;
}

/** What it waits for. One way only, and all but the first and the last may be left out. */
type Stage = "looking" | "recalling" | "parking" | "gating" | "quarantined" | "over";

/** How long a node has to answer that it runs a job. */
const WHO_RUNS_MS = 400;
/** In a pause's steps: a second. */
const FATE_PAUSE = 3;
/** The same: as long as a count that shows no room is believed. */
const ROOM_PAUSE = 1;

const NO_GATES: readonly Gate[] = [];

/**
 * From a message that was read to the moment in which its handler may be called, or to the outcome
 * under which it is settled instead: recall (redeliveries, and what may be one) → admit → gates
 * (jobs that wait for each other only) → quarantine (suspects only). A producer's job whose start
 * is yet to come is parked instead.
 */
export class Arrival {
  readonly #options: ArrivalOptions;
  readonly #crashes: number;
  #stage: Stage = "looking";
  #pause: Pause | undefined;
  #definition: AnyJob | undefined;
  #recorded: WhereItIs | undefined;
  #stray: StoredDeadLetter | undefined;
  #onTrial = false;
  #sharedSince: number | undefined;
  #passes: Passes | undefined;
  #gatedSince: number | undefined;
  #waitsForRoom = false;

  constructor(options: ArrivalOptions) {
    this.#options = options;
    const { envelope, delivery } = options;
    this.#crashes = crashesOf({ envelope, deliveryCount: delivery.deliveryCount });
  }

  /** What the job's name stands for on this node. */
  get definition(): AnyJob | undefined {
    return this.#definition;
  }

  /** Of a recalled job: where it is, by an earlier holder's record or by what it published. */
  get recorded(): WhereItIs | undefined {
    return this.#recorded;
  }

  /** Of a recalled job: the letter that it was buried as, which does not count. */
  get stray(): StoredDeadLetter | undefined {
    return this.#stray;
  }

  /**
   * Another node may have it, or have had it, so that whether it was over had to be asked: since
   * when, by the broker's clock.
   */
  get sharedSince(): number | undefined {
    return this.#sharedSince;
  }

  /** It is a suspect, and its turn is on record. */
  get onTrial(): boolean {
    return this.#onTrial;
  }

  /** Set where the job has gates to pass. */
  get passes(): Passes | undefined {
    return this.#passes;
  }

  /** When it came to its first gate, by the monotonic clock. */
  get gatedSince(): number | undefined {
    return this.#gatedSince;
  }

  /** It is blocked at a gate where too many are, and so stays in this node's hands. */
  get waitsForRoom(): boolean {
    return this.#waitsForRoom && this.#stage === "gating";
  }

  begin(): void {
    if (this.#crashes > 0) this.#options.host.suspects.arrived(this);
    this.#look();
  }

  #look(): void {
    const { host, delivery } = this.#options;
    const { poisonAfter, recentEnds, cancellations } = host;
    if (
      delivery.deliveryCount > 1 ||
      this.#crashes >= poisonAfter ||
      this.#options.envelope.sharedSince !== undefined ||
      recentEnds.mayConcern(this.#options.envelope) ||
      cancellations.isBehind
    )
      void this.#recall();
    else this.#admit(false);
  }

  /**
   * While it waits there is nothing to keep any more. In the turn in which it looks it is asked
   * once more before the job begins.
   */
  loseLease(): void {
    if (this.#stage === "recalling" || this.#isAdmitted) this.#refuse({ kind: "lease-lost" });
  }

  /** Before the admission there is nothing to do, because that asks. */
  heedCancellation(reason: string): void {
    if (this.#isAdmitted) this.#refuse({ kind: "cancelled", reason });
  }

  /**
   * The node stops. Whether an earlier holder has settled a job that is being recalled isn't known,
   * so it may neither be run nor be published again.
   */
  handBack(): void {
    const { abort, owner } = this.#options;
    if (this.#isAdmitted && abort.reason !== undefined) this.#refuse(outcomeOfAbort(abort.reason));
    else if (this.#stage === "recalling") owner.arrivalLeft();
  }

  /** Nothing is waited for any more. */
  end(): void {
    this.#stage = "over";
    this.#pause?.cutShort();
  }

  /** The job is settled, or left: what it kept from others goes. */
  leave(): void {
    this.end();
    // Where it was settled they are left already; otherwise nobody waits for this.
    void this.#passes?.leave(undefined);
    this.#options.host.suspects.left(this);
  }

  get #isAdmitted(): boolean {
    return this.#stage === "parking" || this.#stage === "gating" || this.#stage === "quarantined";
  }

  /**
   * A message that comes again was left without an ack. Whether its holder died before or after it
   * had settled the job, and whether the job has gone on or ended since by another message, is
   * asked of all that there is of the job. The same where the server was killed and does not know
   * that it comes again. And whether the crashes around it were its own doing is what the trials
   * know. What the admission asks has to be known by then: a job may have been cancelled while this
   * node was cut off.
   */
  async #recall(): Promise<void> {
    const { host, delivery, envelope } = this.#options;
    const { message, deliveryCount } = delivery;
    this.#stage = "recalling";
    if (deliveryCount > 1) reportRedelivered(host, envelope, deliveryCount);
    for (let tries = 0; this.#stage === "recalling"; tries += 1) {
      try {
        const asks =
          deliveryCount > 1 ||
          envelope.sharedSince !== undefined ||
          (await host.recentEnds.concerns(envelope, message));
        if (asks) this.#sharedSince = envelope.sharedSince ?? Math.floor(message.storedAt);
        if (asks && host.hasInHand(delivery)) {
          // Its end is awaited and asked for, or both would run and neither find the other's.
          await this.#waitBehindEarlier(tries);
          continue;
        }
        const end = asks ? await lookForEnd(host.broker, envelope, message) : undefined;
        const convicted = end === undefined && (await this.#isConvicted());
        if (host.cancellations.isBehind) await host.cancellations.catchUp();
        if (this.#stage !== "recalling") return;
        if (end === undefined) this.#admit(convicted);
        else this.#endAs(end);
      } catch (error) {
        // Running a settled job again would be worse than waiting; when the lease goes meanwhile,
        // the next holder asks.
        await this.#troubled(error, tries);
        if (!delivery.lease.isHeld()) this.#refuse({ kind: "lease-lost" });
      }
    }
  }

  #endAs(end: JobEnd): void {
    const { outcome, recorded, stray } = outcomeOfEnd(end);
    this.#recorded = recorded;
    this.#stray = stray;
    this.#refuse(outcome);
  }

  /**
   * Too many crashes, and the last of them its own: it was the suspect whose turn it was, and the
   * node that ran it is dead.
   */
  async #isConvicted(): Promise<boolean> {
    const { host, delivery, envelope } = this.#options;
    if (this.#crashes < host.poisonAfter) return false;
    // Then nobody is a suspect before it is dead, and so nobody knows who had it.
    if (host.poisonAfter === 1) return (await this.#runsElsewhere()) === undefined;
    const holder = await host.trials.begun(envelope, delivery.message);
    this.#onTrial = holder !== undefined;
    if (holder === undefined) return false;
    const since = await host.broker.serverNow();
    while (this.#stage === "recalling") {
      const takenDown = await host.trials.wasTakenDown(holder, since);
      if (takenDown !== undefined) return takenDown;
      // A heartbeat will tell, or that there is none.
      await this.#wait(FATE_PAUSE);
    }
    return false;
  }

  #runsElsewhere(): Promise<RunningJob | undefined> {
    const { host, envelope } = this.#options;
    return host.broker.whoRuns(envelope.id, { timeoutMs: WHO_RUNS_MS });
  }

  #admit(convicted: boolean): void {
    const { host, delivery, envelope, abort, declined, refusal } = this.#options;
    const { message, deliveryCount } = delivery;
    const verdict = host.verdict?.(envelope, message) ?? refusal;
    if (verdict !== undefined) return this.#refuse(verdict);
    this.#definition = host.registry.get(envelope.name, envelope.queue);
    const cancellation = host.cancellations.of(envelope);
    if (cancellation !== undefined) {
      if (message.origin !== "runtime" || message.headers["millrace-pass"] === undefined)
        return this.#refuse({ kind: "cancelled", reason: cancellation.reason });
      // Whoever let it in handed it a permit: it goes through the gate, to hand that on instead of
      // keeping it from others.
      abort.abort("cancelled", cancellation.reason);
    }
    const admission = admit({
      envelope,
      job: this.#definition,
      message,
      deliveryCount,
      now: host.clock.now(),
      convicted,
    });
    if ("refusal" in admission) return this.#refuseOrPark(admission.refusal);
    if (declined) return this.#refuse({ kind: "interrupted" });
    const { job } = admission;
    const gates = this.#gatesOf(job);
    if (gates.length === 0) this.#quarantine(job);
    else void this.#passGates(gates, job);
  }

  #refuseOrPark(refusal: Outcome): void {
    if (refusal.kind === "deferred") void this.#park(refusal);
    else this.#refuse(refusal);
  }

  /** A producer's job is to start later: there may be only so many of those. */
  async #park(deferral: Outcome): Promise<void> {
    const { host, envelope } = this.#options;
    const { queue } = envelope;
    this.#stage = "parking";
    const asked = await this.#persist(() => host.parked.take(queue, "delayed"));
    if (asked === undefined) return;
    const most = asked.answer;
    this.#refuse(most === undefined ? deferral : parkedFull(queue, most));
  }

  #gatesOf(job: AnyJob): readonly Gate[] {
    const { host, envelope } = this.#options;
    let found: Gate[] | undefined;
    for (const gate of host.gates) if (gate.concerns(envelope, job)) (found ??= []).push(gate);
    return found ?? NO_GATES;
  }

  async #passGates(gates: readonly Gate[], job: AnyJob): Promise<void> {
    const { host, delivery, envelope, abort, owner } = this.#options;
    this.#stage = "gating";
    this.#gatedSince ??= host.clock.monotonic();
    const { message, deliveryCount } = delivery;
    const entrant = { envelope, job, message, deliveryCount };
    const passes = new Passes(host.log, () =>
      abort.abort("lock-lost", "The lock that lets this job run could not be kept."),
    );
    this.#passes = passes;
    const refusal = await this.#enterAll(passes, gates, entrant);
    if (this.#stage !== "gating") return;
    if (refusal === undefined) return this.#quarantine(job);
    const mayWaitThere = await this.#mayWaitThere(refusal);
    if (this.#stage !== "gating") return;
    if (mayWaitThere) owner.arrivalSentToWait(refusal);
    else await this.#waitForRoom(passes);
  }

  /**
   * What it was let in with at other gates must not be kept from others meanwhile. Afterwards all
   * is looked at anew: it may have expired.
   */
  async #waitForRoom(passes: Passes): Promise<void> {
    const { reason } = this.#options.abort;
    if (reason !== undefined) return this.#refuse(outcomeOfAbort(reason));
    this.#waitsForRoom = true;
    await passes.leave(undefined);
    await this.#wait(ROOM_PAUSE);
    if (this.#stage === "gating") this.#look();
  }

  async #enterAll(
    passes: Passes,
    gates: readonly Gate[],
    entrant: Entrant,
  ): Promise<Outcome | undefined> {
    for (const gate of gates) {
      const refusal = await this.#enter(passes, gate, entrant);
      if (refusal !== undefined || this.#stage !== "gating") return refusal;
    }
    return undefined;
  }

  /**
   * Whether there is room for one more at the queue's gates. Only a producer's new job is asked:
   * what has run is not to be kept from its retry, and what comes again may be blocked already.
   */
  async #mayWaitThere(refusal: Outcome): Promise<boolean> {
    const { host, delivery, envelope } = this.#options;
    const { message, deliveryCount } = delivery;
    if (refusal.kind !== "blocked" || message.origin === "runtime" || deliveryCount > 1)
      return true;
    const asked = await this.#persist(() => host.parked.take(envelope.queue, "blocked"));
    return asked !== undefined && asked.answer === undefined;
  }

  /**
   * Asks the broker until it answers.
   * @returns undefined where nothing is waited for any more; without a lease the job is settled
   *   then
   */
  async #persist<Answer>(
    ask: () => Promise<Answer>,
  ): Promise<{ readonly answer: Answer } | undefined> {
    const stage = this.#stage;
    for (let tries = 0; this.#stage === stage; tries += 1) {
      try {
        const answer = await ask();
        return this.#stage === stage ? { answer } : undefined;
      } catch (error) {
        await this.#troubled(error, tries);
        if (!this.#options.delivery.lease.isHeld()) this.#refuse({ kind: "lease-lost" });
      }
    }
    return undefined;
  }

  async #enter(passes: Passes, gate: Gate, entrant: Entrant): Promise<Outcome | undefined> {
    for (let tries = 0; this.#stage === "gating"; tries += 1) {
      try {
        return await passes.enter(gate, entrant);
      } catch (error) {
        await this.#troubled(error, tries);
        if (!this.#options.delivery.lease.isHeld()) return { kind: "lease-lost" };
      }
    }
    return undefined;
  }

  #quarantine(job: AnyJob): void {
    const { host } = this.#options;
    if (!isSuspect(this.#crashes, host.poisonAfter)) {
      if (this.#crashes > 0) host.suspects.cleared(this);
      return this.#finish(job);
    }
    this.#stage = "quarantined";
    const awayMs = host.suspects.ask(this, () => void this.#beginTrial(job));
    if (awayMs !== undefined)
      this.#refuse({ kind: "deferred", untilMs: host.clock.now() + awayMs });
  }

  /**
   * The turn goes on record before the handler is called, or a crash would leave no trace of whose
   * it was.
   */
  async #beginTrial(job: AnyJob): Promise<void> {
    const { host, delivery, envelope } = this.#options;
    for (let tries = 0; this.#stage === "quarantined"; tries += 1) {
      try {
        await host.trials.begin(envelope, delivery.message);
        this.#onTrial = true;
        if (this.#stage === "quarantined") this.#finish(job);
      } catch (error) {
        // When the lease goes meanwhile, its loss ends the quarantine.
        await this.#troubled(error, tries);
        if (!delivery.lease.isHeld()) this.#refuse({ kind: "lease-lost" });
      }
    }
  }

  #finish(job: AnyJob): void {
    const { delivery, abort, owner } = this.#options;
    if (abort.reason !== undefined) return this.#refuse(outcomeOfAbort(abort.reason));
    // What lay in the socket while the event loop was stalled may be another's by now; nobody has
    // said so yet.
    if (!delivery.lease.isHeld()) return this.#refuse({ kind: "lease-lost" });
    this.#stage = "over";
    owner.arrivalAdmitted(job);
  }

  #refuse(outcome: Outcome): void {
    if (this.#stage === "over") return;
    this.#options.owner.arrivalRefused(outcome);
  }

  /** The broker could not be asked: waits before it is asked again. */
  async #troubled(error: unknown, tries: number): Promise<void> {
    const { host, delivery, envelope } = this.#options;
    reportTrouble(host, envelope, error, undefined);
    if (this.#stage === "over" || !delivery.lease.isHeld()) return;
    await this.#wait(tries);
  }

  /** In no danger meanwhile: the earlier one may be a suspect, which waits until nobody else is. */
  async #waitBehindEarlier(tries: number): Promise<void> {
    const { suspects } = this.#options.host;
    suspects.cleared(this);
    await this.#wait(tries);
    if (this.#crashes > 0 && this.#stage === "recalling") suspects.arrived(this);
  }

  #wait(tries: number): Promise<void> {
    this.#pause ??= new Pause(this.#options.host.clock);
    return this.#pause.wait(tries);
  }
}
