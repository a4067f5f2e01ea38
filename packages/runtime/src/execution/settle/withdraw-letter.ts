import { firstMessageOf, letterBeside, recordError, strayOf } from "@millrace/core";
import type { ExecutionHost } from "../execution-host.ts";
import type { JobInHand } from "../job-in-hand.ts";
import type { FoundEnd } from "../recall/look-for-end.ts";
import type { SettlementHook } from "./settlement-hook.ts";

const TRIES_FOR_LEASES = 20;

/**
 * Another run may have buried the job and have lost its lease before its record. Then this end
 * counts, and that letter is taken away: before the ack, for nobody comes after it. A node that
 * gets the message after a crash in between finds this end on record, and the letter beside it.
 */
export function letterWithdrawal({ broker }: Pick<ExecutionHost, "broker">): SettlementHook {
  return {
    concerns: (_envelope, { state }) => state === "succeeded" || state === "cancelled",
    async beforeAck({ envelope, message }) {
      const successors = await broker.successors(envelope, message);
      const letter = letterBeside({ envelope, message, successors }, envelope.life);
      if (letter !== undefined) await broker.deadLetters.remove(letter.sequence);
    },
  };
}

/**
 * This run has buried the job, or may have, and has lost its lease before its own end was on
 * record. Where another's is, the message is the other's to ack, so nobody else comes to this
 * letter; and to take back what one has written oneself needs no lease. Tries for twenty leases,
 * because a server may be killed again and again. Never rejects.
 */
export async function takeLetterBack(of: JobInHand): Promise<void> {
  const { host } = of;
  const untilMono = host.clock.monotonic() + TRIES_FOR_LEASES * host.settlements.leaseMs;
  for (let tries = 0; of.phase !== "ended"; tries += 1) {
    try {
      const stray = (await rivalEndOf(of))?.stray;
      if (stray !== undefined) await host.broker.deadLetters.remove(stray.sequence);
      return;
    } catch (error) {
      if (host.clock.monotonic() >= untilMono) return tell(of, error);
      await of.rest(tries);
    }
  }
}

/** The end that is on record of the job, whoever wrote it, and the letter that it makes a stray. */
export async function rivalEndOf({
  host: { broker },
  delivery: { message },
  envelope,
}: JobInHand): Promise<Pick<FoundEnd, "recorded" | "stray"> | undefined> {
  const end = await broker.history.endOf({ ...envelope, ...firstMessageOf(envelope, message) });
  if (end === undefined) return undefined;
  const successors = await broker.successors(envelope, message);
  const { stray } = strayOf(end.record, { envelope, message, successors });
  return { recorded: end.record, stray };
}

function tell({ host, envelope }: JobInHand, error: unknown): void {
  host.log.warn(
    { job: envelope.id, error: recordError(error) },
    "it is not known whether a dead letter of a job that has ended stays behind",
  );
}
