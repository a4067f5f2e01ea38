import type { JobEnd } from "@millrace/core";
import type { HolderSeen } from "../../presence/holder.ts";
import type { JobInHand } from "../job-in-hand.ts";
import { lookForEnd } from "./look-for-end.ts";
import { toldWhenLong } from "./told-when-long.ts";

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
 *
 * @throws what the broker says; then it can be asked again
 */
export async function recall(of: JobInHand): Promise<Recalled> {
  const { host, delivery, envelope } = of;
  const { message, deliveryCount } = delivery;
  const mayBeOver =
    deliveryCount > 1 ||
    envelope.sharedSince !== undefined ||
    host.hasInHand(delivery) ||
    (await host.recentEnds.concerns(envelope, message));
  if (mayBeOver) of.sharedSince = envelope.sharedSince ?? Math.floor(message.storedAt);
  if (mayBeOver && host.hasInHand(delivery))
    await toldWhenLong(of, waitBehindEarlier(of), (waiting) =>
      host.log.warn(waiting, "a job that came again waits for the end of its run on this node"),
    );
  if (!isWanted(of)) return { isPoison: false };
  const end = mayBeOver ? (await lookForEnd(host.broker, envelope, message)).end : undefined;
  const isPoisonous = end === undefined && (await isPoison(of));
  // What the admission asks has to be known by then: a job may have been cancelled while this node
  // was cut off.
  if (host.cancellations.isBehind) await host.cancellations.catchUp();
  if (end !== undefined) return { end };
  // Asked last, and only where nothing is run, by a purge: a holder that was frozen may have begun
  // it while it was looked for.
  const runs = mayBeOver && host.settleUnrun !== undefined && (await isHeld(of));
  return runs ? { isRunning: true } : { isPoison: isPoisonous };
}

/** Whether the answer is still waited for. */
function isWanted(of: JobInHand): boolean {
  return of.phase === "recalling";
}

async function isHeld({ host, envelope }: JobInHand): Promise<boolean> {
  const { id, queue, createdAt } = envelope;
  const holder = await host.broker.whoRuns(id, { timeoutMs: WHO_RUNS_MS, queue, createdAt });
  return holder !== undefined;
}

/**
 * This node has the message in hand by an earlier delivery: its end is awaited and asked for, or
 * both would run and neither find the other's. In no danger meanwhile, because the earlier one may
 * be a suspect, which waits until nobody else is.
 */
async function waitBehindEarlier(of: JobInHand): Promise<void> {
  const { host, delivery, crashes } = of;
  for (let tries = 0; isWanted(of) && host.hasInHand(delivery); tries += 1) {
    host.quarantine.cleared(of);
    await of.rest(tries);
    if (crashes > 0 && isWanted(of)) host.quarantine.arrived(of);
    of.waitedBehind = true;
  }
}

/**
 * Too many crashes, and the last of them its own: it was the suspect whose turn it was, and the
 * node that ran it is dead.
 */
async function isPoison(of: JobInHand): Promise<boolean> {
  const { host, delivery, envelope } = of;
  if (of.crashes < host.poisonAfter) return false;
  // Then nobody is a suspect before it is dead, and so nobody knows who had it.
  if (host.poisonAfter === 1) return !(await isHeld(of));
  const holder = await host.begunRuns.begun(envelope, delivery.message);
  of.isQuarantined = holder !== undefined;
  if (holder === undefined) return false;
  return toldWhenLong(of, wasTakenDown(of, holder), (waiting) =>
    host.log.warn(
      { ...waiting, holder: holder.node },
      "a job waits: it may have ended the node that ran it last, or that node lives",
    ),
  );
}

async function wasTakenDown(of: JobInHand, holder: HolderSeen): Promise<boolean> {
  const { broker, begunRuns } = of.host;
  const since = await broker.serverNow();
  while (isWanted(of)) {
    const takenDown = await begunRuns.wasTakenDown(holder, since);
    if (takenDown !== undefined) return takenDown;
    // A heartbeat will tell, or that there is none.
    await of.rest(FATE_PAUSE);
  }
  return false;
}
