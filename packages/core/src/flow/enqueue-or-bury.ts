import type { Broker } from "../broker/broker.ts";
import type { Lease } from "../broker/work.ts";
import type { Envelope, JobRef } from "../envelope/envelope.ts";
import { isHopeless } from "../errors/hopeless.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { recordError } from "../errors/recorded-error.ts";
import { brokenLink } from "../settlement/broken-link.ts";
import type { SettlementStep } from "../settlement/settlement.ts";

/** How long a job waits that finds no room in its queue, before it is looked for room again. */
export const NO_ROOM_MS = 1_000;

/** Who enqueues callbacks. */
export interface CallbackHost {
  readonly broker: Broker;
  /** Asked only where the callback can't be enqueued at once: the answer may be the server's. */
  readonly clock: { now(): number | Promise<number> };
  /** Named in the letter of one that can't be enqueued. */
  readonly node: string;
}

/** A batch's callback, and the job after which it is enqueued. */
export interface Following {
  readonly after: JobRef;
  readonly callback: Envelope;
  readonly lease?: Lease;
}

/**
 * As the next job of a chain: straight to its queue, among the delayed jobs where that is full, and
 * a letter where it can't be enqueued at all. What its queue says of it is no trouble of the job
 * before it.
 *
 * @param settle buries it and writes its record. Where nothing is settled, the letter alone is
 *   kept: no record is written but with a settlement
 */
export async function enqueueOrBury(
  host: CallbackHost,
  { after, callback, lease }: Following,
  settle = (steps: readonly SettlementStep[]) => buryAlone(host.broker, steps),
): Promise<void> {
  try {
    await enqueueCallback(host, callback, lease);
  } catch (error) {
    if (!isHopeless(error)) throw error;
    const from = { envelope: after, now: await host.clock.now(), node: host.node };
    try {
      await settle(brokenLink(from, callback, recordError(error)));
    } catch (refused) {
      if (!MillraceError.is(refused, "payload-too-large")) throw refused;
      await settle(brokenLink(from, callback, recordError(error), "lost"));
    }
  }
}

/** Straight to its queue, among the delayed jobs where that is full. */
export async function enqueueCallback(
  { broker, clock }: Pick<CallbackHost, "broker" | "clock">,
  callback: Envelope,
  lease?: Lease,
): Promise<void> {
  const held = lease === undefined ? {} : { lease };
  try {
    await broker.requeue(callback, held);
  } catch (error) {
    if (!MillraceError.is(error, "queue-full")) throw error;
    await broker.requeue({ ...callback, notBefore: (await clock.now()) + NO_ROOM_MS }, held);
  }
}

async function buryAlone({ deadLetters }: Broker, steps: readonly SettlementStep[]): Promise<void> {
  for (const step of steps)
    if (step.do === "bury") await deadLetters.add(step.letter, step.once ?? step.letter.id);
}
