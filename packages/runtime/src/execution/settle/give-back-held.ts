import {
  type Delivery,
  type Envelope,
  recordError,
  type Settlement,
  type SettlementInput,
} from "@millrace/core";
import type { ExecutionHost } from "../execution-host.ts";
import type { JobInHand } from "../job-in-hand.ts";
import { followUp, settledOf } from "./run-hooks.ts";
import { hooksFor, type SettlementHook } from "./settlement-hook.ts";

/**
 * Gives back what a settled job held: its turn as a suspect, its progress, its limits. Never
 * rejects.
 *
 * @returns undefined where the job held nothing and nothing follows it
 */
export function giveBackHeld(
  of: JobInHand,
  settlement: Settlement,
  input: SettlementInput,
): Promise<void> | undefined {
  const { host, envelope } = of;
  const hooks = settlement.state === "abandoned" ? [] : hooksFor(host.hooks, envelope, settlement);
  if (!of.isQuarantined && of.progress === undefined && hooks.length === 0)
    return of.entered?.leave(settlement);
  return giveAllBack(of, settlement, input, hooks);
}

async function giveAllBack(
  of: JobInHand,
  settlement: Settlement,
  input: SettlementInput,
  hooks: readonly SettlementHook[],
): Promise<void> {
  const { host, envelope, progress } = of;
  const { state } = settlement;
  if (of.isQuarantined && state !== "abandoned") await endQuarantine(host, envelope);
  if (progress !== undefined && state !== "requeued" && state !== "abandoned")
    await progress.forget();
  if (hooks.length > 0) await followUp(of, settledOf(of, settlement, input), hooks);
  await of.entered?.leave(settlement);
}

/** Settles nothing: the job comes to somebody when its lease has run out. Never rejects. */
export function letGo({ broker, log }: ExecutionHost, delivery: Delivery): Promise<void> {
  return broker.settle(delivery, []).catch((error: unknown) => {
    log.debug({ error: recordError(error) }, "a delivery was abandoned without its broker");
  });
}

/** Not for an abandoned job: it is another's to settle, and its note may be of use there. */
export async function endQuarantine(
  { log, begunRuns }: ExecutionHost,
  envelope: Envelope,
): Promise<void> {
  try {
    await begunRuns.over(envelope);
  } catch (error) {
    log.debug(
      { job: envelope.id, error: recordError(error) },
      "the note of a suspect's run stays behind",
    );
  }
}
