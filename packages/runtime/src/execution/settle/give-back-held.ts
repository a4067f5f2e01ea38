import { type Delivery, type Envelope, recordError, type Settlement } from "@millrace/core";
import type { ExecutionHost } from "../execution-host.ts";
import { followUp, hooksFor, type Settled, type SettlementHook } from "./settlement-hook.ts";
import type { JobSettlementOptions } from "./settlement-options.ts";

type Held = Pick<JobSettlementOptions, "host" | "input" | "progress" | "admission">;

/**
 * Gives back what a settled job held: its turn as a suspect, its progress, its limits. Never
 * rejects.
 *
 * @returns undefined where the job held nothing and nothing follows it
 */
export function giveBackHeld(
  held: Held,
  settlement: Settlement,
  settled: () => Settled,
): Promise<void> | undefined {
  const { host, input, progress, admission } = held;
  const hooks =
    settlement.state === "abandoned" ? [] : hooksFor(host.hooks, input.envelope, settlement);
  if (admission?.isQuarantined !== true && progress === undefined && hooks.length === 0)
    return admission?.entered?.leave(settlement);
  return giveAllBack(held, settlement, hooks, settled);
}

async function giveAllBack(
  { host, input, progress, admission }: Held,
  settlement: Settlement,
  hooks: readonly SettlementHook[],
  settled: () => Settled,
): Promise<void> {
  const { state } = settlement;
  if (admission?.isQuarantined === true && state !== "abandoned")
    await endQuarantine(host, input.envelope);
  if (progress !== undefined && state !== "requeued" && state !== "abandoned")
    await progress.forget();
  if (hooks.length > 0) await followUp(hooks, settled(), host.log);
  await admission?.entered?.leave(settlement);
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
