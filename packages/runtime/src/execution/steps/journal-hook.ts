import type { AnyJob, Broker } from "@millrace/core";
import type { SettlementHook } from "../settle/settlement-hook.ts";
import type { Registry } from "../../registry/registry.ts";

/**
 * Forgets the steps and signals of a job that has succeeded or was cancelled. Those of a dead job
 * stay for its retry. Before the ack: a crash in between brings the job back, it is recalled, and
 * comes by here again.
 *
 * @returns undefined for a node whose jobs have no steps
 */
export function journalHook(
  broker: Pick<Broker, "journal" | "signals">,
  registry: Pick<Registry, "jobs" | "get">,
): SettlementHook | undefined {
  if (!registry.jobs.some((job: AnyJob) => job.steps !== undefined)) return undefined;
  return {
    // What is left behind takes room, and does nothing.
    canBeSpared: true,
    concerns: ({ name, queue }, { state }) =>
      (state === "recalled" || isLastWord(state)) && registry.get(name, queue)?.steps !== undefined,
    beforeAck: async ({ envelope, settlement, recorded }) => {
      if (!isLastWord(recorded?.state ?? settlement.state)) return;
      const { id, queue, createdAt } = envelope;
      await Promise.all([
        broker.journal.remove({ id, queue, createdAt }),
        // A recalled job may be an old one, whose id another has by now, and the signals too.
        ...(settlement.state === "recalled" ? [] : [broker.signals.remove({ id, queue })]),
      ]);
    },
  };
}

function isLastWord(state: string): boolean {
  return state === "succeeded" || state === "cancelled";
}
