import type { AnyJob, Broker, Envelope } from "@millrace/core";
import type { SettlementHook } from "../settle/settlement-hook.ts";
import type { Registry } from "../../registry/registry.ts";

/**
 * Forgets the steps and signals of a job that has succeeded or was cancelled. Those of a dead job
 * stay for its retry. Once its end can be seen, its id may be enqueued again: a signal that comes
 * from then on may be the next job's, and stays. Before the ack: a crash in between brings the job
 * back, it is recalled, and comes by here again.
 *
 * @returns undefined for a node whose jobs have no steps
 */
export function journalHook(
  broker: Pick<Broker, "journal" | "signals">,
  registry: Pick<Registry, "jobs" | "get">,
): SettlementHook | undefined {
  if (!registry.jobs.some((job: AnyJob) => job.steps !== undefined)) return undefined;
  const signalsUntil = new WeakMap<Envelope, number>();
  return {
    // What is left behind takes room, and does nothing.
    canBeSpared: true,
    concerns: ({ name, queue }, { state }) =>
      (state === "recalled" || isLastWord(state)) && registry.get(name, queue)?.steps !== undefined,
    before: async ({ envelope, settlement }) => {
      // Of a second try the record may be there.
      if (signalsUntil.has(envelope) || !isLastWord(settlement.state)) return;
      const { id, queue } = envelope;
      // Where the look fails it is not made again: they stay.
      signalsUntil.set(envelope, 0);
      signalsUntil.set(envelope, await broker.signals.newest({ id, queue }));
    },
    beforeAck: async ({ envelope, settlement, recorded }) => {
      if (!isLastWord(recorded?.state ?? settlement.state)) return;
      const { id, queue, createdAt } = envelope;
      // It isn't known for a recalled job: that may be an old one, whose id another has by now.
      const until = settlement.state === "recalled" ? 0 : (signalsUntil.get(envelope) ?? 0);
      await Promise.all([
        broker.journal.remove({ id, queue, createdAt }),
        ...(until === 0 ? [] : [broker.signals.remove({ id, queue }, until)]),
      ]);
    },
  };
}

function isLastWord(state: string): boolean {
  return state === "succeeded" || state === "cancelled";
}
