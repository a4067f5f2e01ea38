import { recordError, type Settlement, type SettlementInput } from "@millrace/core";
import type { JobInHand } from "../job-in-hand.ts";
import { recordSteps } from "../report.ts";
import { hooksFor, type Settled, type SettlementHook } from "./settlement-hook.ts";
import { letterWithdrawal } from "./withdraw-letter.ts";

/**
 * What has to follow a settlement before its ack: nothing for nearly all jobs.
 *
 * @param isShared another node may have, or have had, the job
 */
export function hooksOf(
  { host, envelope }: JobInHand,
  settlement: Settlement,
  isShared: boolean,
): readonly SettlementHook[] {
  const hooks = hooksFor(host.hooks, envelope, settlement);
  if (!isShared) return hooks;
  const withdrawal = letterWithdrawal(host);
  return withdrawal.concerns(envelope, settlement) ? [...hooks, withdrawal] : hooks;
}

/**
 * Carries a settlement out with what its hooks do between the last publication and the ack. What
 * they publish belongs to the attempt that was the last of its batch.
 *
 * @param sparing those that can be spared keep it no longer
 */
export function settleWithHooks(
  of: JobInHand,
  settled: Settled,
  hooks: readonly SettlementHook[],
  sparing: boolean,
): Promise<void> {
  const carryOut = (): Promise<void> => settleInOrder(of, settled, hooks, sparing);
  return of.trace === undefined ? carryOut() : of.trace.run(carryOut);
}

async function settleInOrder(
  { host: { broker, log }, delivery }: JobInHand,
  settled: Settled,
  hooks: readonly SettlementHook[],
  sparing: boolean,
): Promise<void> {
  const { steps } = settled.settlement;
  const { id: job, queue } = settled.envelope;
  for (const hook of hooks) {
    try {
      await hook.before?.(settled);
    } catch (error) {
      log.debug({ job, queue, error: recordError(error) }, "what lies by a job is left there");
    }
  }
  // With no steps a broker lets the delivery go.
  if (steps.length > 1) await broker.settle(delivery, steps.slice(0, -1));
  for (const hook of hooks) {
    try {
      await hook.beforeAck?.(settled);
    } catch (error) {
      if (!sparing || hook.canBeSpared !== true) throw error;
      log.warn(
        { job, queue, error: recordError(error) },
        "a job is settled without what follows it",
      );
    }
  }
  await broker.settle(delivery, steps.slice(-1));
}

/** What follows the ack. Never rejects. */
export async function followUp(
  { host: { log } }: JobInHand,
  settled: Settled,
  hooks: readonly SettlementHook[],
): Promise<void> {
  for (const hook of hooks) {
    try {
      await hook.afterAck?.(settled);
    } catch (error) {
      log.warn(
        { job: settled.envelope.id, error: recordError(error) },
        "what follows a settlement could not be done",
      );
    }
  }
}

/** What hooks are told. */
export function settledOf(of: JobInHand, settlement: Settlement, input: SettlementInput): Settled {
  const { host, delivery, envelope, found } = of;
  return {
    envelope,
    message: delivery.message,
    settlement,
    recorded: found?.recorded,
    lease: delivery.lease,
    alsoSettle: async (steps) => {
      await host.broker.settle(delivery, steps);
      recordSteps(host, steps, input);
    },
  };
}
