import { type Envelope, recordError, type Settlement } from "@millrace/core";
import type { ExecutionHost } from "../execution-host.ts";
import { followUp, hooksFor, type Settled, type SettlementHook } from "./settlement-hook.ts";
import type { SettlingOptions } from "./settling.ts";

type Held = Pick<SettlingOptions, "host" | "input" | "progress" | "admission">;

/**
 * Lets go of what a settled job held: its turn as a suspect, its progress, its limits. Never
 * rejects.
 *
 * @returns undefined where the job held nothing and nothing follows it
 */
export function letGo(
  held: Held,
  settlement: Settlement,
  settled: () => Settled,
): Promise<void> | undefined {
  const { host, input, progress, admission } = held;
  const hooks =
    settlement.state === "abandoned" ? [] : hooksFor(host.hooks, input.envelope, settlement);
  if (admission?.onTrial !== true && progress === undefined && hooks.length === 0)
    return admission?.passes?.leave(settlement);
  return letAllGo(held, settlement, hooks, settled);
}

async function letAllGo(
  { host, input, progress, admission }: Held,
  settlement: Settlement,
  hooks: readonly SettlementHook[],
  settled: () => Settled,
): Promise<void> {
  const { state } = settlement;
  if (admission?.onTrial === true && state !== "abandoned") await endTrial(host, input.envelope);
  if (progress !== undefined && state !== "requeued" && state !== "abandoned")
    await progress.forget();
  if (hooks.length > 0) await followUp(hooks, settled(), host.log);
  await admission?.passes?.leave(settlement);
}

/** Not for an abandoned job: it is another's to settle, and its note may be of use there. */
export async function endTrial(
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
