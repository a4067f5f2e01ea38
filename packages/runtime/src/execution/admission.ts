import type { AnyJob, Outcome } from "@millrace/core";
import { EnteredLimits } from "../limits/entered-limits.ts";
import { type Limit, limitsOn } from "../limits/limit.ts";
import { type Admitted, admit } from "./admit.ts";
import { outcomeOfAbort } from "./interpret.ts";
import type { JobInHand, Phase } from "./job-in-hand.ts";
import { outcomeOfEnd } from "./recall/look-for-end.ts";
import { isSuspect } from "./recall/quarantine.ts";
import { recall } from "./recall/recall.ts";
import { untilAlone } from "./recall/until-alone.ts";
import { parkedFull } from "./refusals.ts";
import { reportRedelivered, reportTrouble } from "./report.ts";

/**
 * The job to run; or the outcome under which it is settled without a run, where `yields` says that
 * a limit sends it to wait and that what is left to do takes no slot; or `"unknown"`: neither is
 * known to be right, and the job is left to its next holder.
 */
export type AdmissionResult =
  { readonly job: AnyJob } | { readonly refusal: Outcome; readonly yields?: true } | "unknown";

/** Where there was no room at a limit all is looked at anew, after a pause. */
type Answer = AdmissionResult | "again";

/** In a pause's steps: as long as a count that shows no room is believed. */
const ROOM_PAUSE = 1;

/**
 * From a message that was read to the moment in which its handler may be called, or to the outcome
 * under which it is settled instead: recall (redeliveries, and what may be one) → admit → limits
 * (jobs that wait for each other only) → quarantine (suspects only). A producer's job whose start
 * is yet to come is parked instead. In one turn, where nothing is to be asked.
 *
 * What comes from outside meanwhile puts the job into another phase: the step that is under way is
 * interrupted, and takes nothing more.
 */
export function admission(of: JobInHand): AdmissionResult | Promise<AdmissionResult> {
  if (of.crashes > 0) of.host.quarantine.arrived(of);
  const answer = decide(of);
  return answer instanceof Promise ? untilDecided(of, answer) : answer;
}

async function untilDecided(of: JobInHand, first: Promise<Answer>): Promise<AdmissionResult> {
  try {
    for (let next: AdmissionResult | Promise<Answer> = first; ; next = decide(of)) {
      const answer = await next;
      if (answer !== "again") return answer;
    }
  } catch (error) {
    if (error instanceof Interrupted) return "unknown";
    throw error;
  }
}

function decide(of: JobInHand): AdmissionResult | Promise<Answer> {
  return mayBeOver(of) ? recallFirst(of) : admitNow(of, false);
}

/** Whether the job may be over already, or have been cancelled without this node's hearing it. */
function mayBeOver({ host, delivery, envelope, crashes }: JobInHand): boolean {
  const { recentEnds } = host;
  const { deliveryCount, message } = delivery;
  return (
    deliveryCount > 1 ||
    crashes >= host.poisonAfter ||
    envelope.sharedSince !== undefined ||
    recentEnds.mayConcern(envelope, message) ||
    (recentEnds.reachesBack(message) && host.hasInHand(delivery)) ||
    host.cancellations.isBehind
  );
}

async function recallFirst(of: JobInHand): Promise<Answer> {
  const { host, delivery, envelope } = of;
  enter(of, "recalling");
  if (delivery.deliveryCount > 1) reportRedelivered(host, envelope, delivery.deliveryCount);
  // Running a settled job again would be worse than waiting; when the lease goes meanwhile, the
  // next holder asks.
  const found = await ask(of, () => recall(of));
  if ("isRunning" in found) return "unknown";
  if ("isPoison" in found) return admitNow(of, found.isPoison);
  of.found = outcomeOfEnd(found.end);
  return refuse(of, of.found.outcome);
}

function admitNow(of: JobInHand, isPoison: boolean): AdmissionResult | Promise<Answer> {
  const { host, delivery, envelope } = of;
  const { message, deliveryCount } = delivery;
  const unrun = host.settleUnrun?.(envelope, message) ?? of.refusal;
  if (unrun !== undefined) return refuse(of, unrun);
  const job = (of.definition = host.registry.get(envelope.name, envelope.queue));
  const cancellation = host.cancellations.of(envelope);
  if (cancellation !== undefined) {
    if (message.origin !== "runtime" || message.headers["millrace-permit"] === undefined)
      return refuse(of, { kind: "cancelled", reason: cancellation.reason });
    // The node that let it in handed it a permit. It goes through the limit, to hand the permit on
    // instead of keeping it from others.
    of.abort.abort("cancelled", cancellation.reason);
  }
  const now = host.clock.now();
  const admitted = admit({ envelope, job, message, deliveryCount, now, isPoison });
  if ("refusal" in admitted)
    return admitted.refusal.kind === "deferred"
      ? park(of, admitted.refusal)
      : refuse(of, admitted.refusal);
  if (of.goesBack) return refuse(of, { kind: "interrupted" });
  const limits = limitsOn(host.limits, envelope, admitted.job);
  return limits.length === 0 ? quarantine(of, admitted) : enterLimits(of, limits, admitted);
}

/** A producer's job is to start later: there may be only so many of those. */
async function park(of: JobInHand, deferral: Outcome): Promise<Answer> {
  const { host, envelope } = of;
  enter(of, "parking");
  const most = await ask(of, () => host.parked.take(envelope.queue, "delayed"));
  return refuse(of, most === undefined ? deferral : parkedFull(envelope.queue, most));
}

async function enterLimits(
  of: JobInHand,
  limits: readonly Limit[],
  admitted: Admitted,
): Promise<Answer> {
  const { host, delivery, envelope, abort } = of;
  enter(of, "entering");
  of.limitedSince ??= host.clock.monotonic();
  const { message, deliveryCount } = delivery;
  const entrant = { envelope, job: admitted.job, message, deliveryCount };
  const held = new EnteredLimits(host.log, () =>
    abort.abort("lock-lost", "The lock that lets this job run could not be kept."),
  );
  of.entered = held;
  for (const limit of limits) {
    const refusal = await ask(of, () => held.enter(limit, entrant));
    if (refusal !== undefined) return blockOrWait(of, refusal, held);
  }
  return quarantine(of, admitted);
}

async function blockOrWait(of: JobInHand, refusal: Outcome, held: EnteredLimits): Promise<Answer> {
  if (await isRoomToWait(of, refusal)) return { ...refuse(of, refusal), yields: true };
  const { reason } = of.abort;
  if (reason !== undefined) return refuse(of, outcomeOfAbort(reason));
  // What it was let in with at other limits must not be kept from others meanwhile. Afterwards all
  // is looked at anew: it may have expired.
  enter(of, "entering");
  of.waitsForRoom = true;
  await held.leave(undefined);
  await of.rest(ROOM_PAUSE);
  enter(of, "entering");
  return "again";
}

/**
 * Whether there is room for one more at the gates of the queue. That is asked of a producer's new
 * job alone: what has run is not to be kept from its retry, and what comes again may be blocked
 * already.
 */
async function isRoomToWait(of: JobInHand, refusal: Outcome): Promise<boolean> {
  const { host, envelope } = of;
  const { message, deliveryCount } = of.delivery;
  if (refusal.kind !== "blocked" || message.origin === "runtime" || deliveryCount > 1) return true;
  return (await ask(of, () => host.parked.take(envelope.queue, "blocked"))) === undefined;
}

function quarantine(of: JobInHand, admitted: Admitted): AdmissionResult | Promise<Answer> {
  const { quarantine: suspects, poisonAfter, clock } = of.host;
  if (!isSuspect(of.crashes, poisonAfter)) {
    if (of.crashes > 0) suspects.cleared(of);
    return finish(of, admitted);
  }
  enter(of, "quarantined");
  const turn = Promise.withResolvers<void>();
  const awayMs = suspects.ask(of, turn.resolve);
  return awayMs === undefined
    ? runInQuarantine(of, admitted, turn.promise)
    : refuse(of, { kind: "deferred", untilMs: clock.now() + awayMs });
}

/**
 * The turn goes on record before the handler is called, or a crash would leave no trace of whose it
 * was.
 */
async function runInQuarantine(
  of: JobInHand,
  admitted: Admitted,
  turn: Promise<void>,
): Promise<Answer> {
  const { host, delivery, envelope } = of;
  await untilAlone(of, turn);
  await ask(of, async () => {
    await host.begunRuns.begin(envelope, delivery.message);
    of.isQuarantined = true;
  });
  return finish(of, admitted);
}

function finish(of: JobInHand, admitted: Admitted): AdmissionResult {
  const { reason } = of.abort;
  if (reason !== undefined) return refuse(of, outcomeOfAbort(reason));
  // What lay in the socket while the event loop was stalled may be another's by now; nobody has
  // said so yet.
  if (!of.delivery.lease.isHeld()) return refuse(of, { kind: "lease-lost" });
  enter(of, "decided");
  return admitted;
}

function refuse(of: JobInHand, refusal: Outcome): { readonly refusal: Outcome } {
  enter(of, "decided");
  return { refusal };
}

/** The job was ended from outside. */
class Interrupted extends Error {}

/** The next phase. @throws Interrupted a step hears of that some turns later */
function enter(of: JobInHand, phase: Phase): void {
  if (!of.isBeingAdmitted) throw new Interrupted();
  of.phase = phase;
}

/** Asks the broker until it answers. Without a lease the job is settled. @throws Interrupted */
async function ask<T>(of: JobInHand, question: () => Promise<T>): Promise<T> {
  const { host, delivery, envelope, phase } = of;
  for (let tries = 0; of.isBeingAdmitted; tries += 1) {
    try {
      const answer = await question();
      if (of.phase === phase) return answer;
    } catch (error) {
      reportTrouble(host, envelope, error, undefined);
      if (of.phase === phase && delivery.lease.isHeld()) await of.rest(tries);
      if (of.phase === phase && !delivery.lease.isHeld()) of.end({ kind: "lease-lost" });
    }
  }
  throw new Interrupted();
}
