import type { Broker, Clock, Envelope, Settlement } from "@millrace/core";
import type { SettlementHook } from "../settle/settlement-hook.ts";
import { isIdShared } from "./shared-id.ts";
import type { Registry } from "../../registry/registry.ts";

type Server = Pick<Broker, "findWaiting" | "journal" | "signals">;

/**
 * Forgets the steps and signals of a job that has succeeded or was cancelled. Those of a dead job
 * stay for its retry. Once its end can be seen, its id may be enqueued again: a signal that comes
 * from then on may be the next job's, and stays. Before the ack: a crash in between brings the job
 * back, it is recalled, and comes by here again.
 *
 * A job may be cancelled where nobody knows its name: by a purge, or by a node that has another
 * version of its queue's jobs.
 */
export function journalHook(
  broker: Server,
  registry: Pick<Registry, "get">,
  clock: Clock,
): SettlementHook {
  const signalsUntil = new WeakMap<Envelope, number>();
  return {
    // What is left behind takes room, and does nothing.
    canBeSpared: true,
    concerns: ({ name, queue, generation }, { state }) => {
      if (state !== "recalled" && !isLastWord(state)) return false;
      const job = registry.get(name, queue);
      if (job === undefined || job.steps !== undefined) return true;
      return state === "cancelled" && generation > 0;
    },
    before: async ({ envelope, settlement }) => {
      // Of a second try the record may be there.
      if (signalsUntil.has(envelope) || !isLastWord(settlement.state)) return;
      const { id, queue } = envelope;
      // Where a look fails it is not made again: they stay.
      signalsUntil.set(envelope, 0);
      const newest = await broker.signals.newest({ id, queue });
      if (newest === 0 || (await isIdShared(broker, envelope, clock))) return;
      signalsUntil.set(envelope, newest);
    },
    beforeAck: async ({ envelope, settlement, recorded }) => {
      if (!isLastWord(recorded?.state ?? settlement.state)) return;
      const { id, queue, createdAt, name } = envelope;
      const run = { id, queue, createdAt };
      // It isn't known for a recalled job: that may be an old one, whose id another has by now.
      const until = settlement.state === "recalled" ? 0 : (signalsUntil.get(envelope) ?? 0);
      // Most jobs without a definition have no steps, and a purge may bring many of them.
      const hasNone =
        registry.get(name, queue)?.steps === undefined &&
        (await broker.journal.read(run)).length === 0;
      await Promise.all([
        hasNone ? undefined : broker.journal.remove(run),
        until === 0 ? undefined : broker.signals.remove({ id, queue }, until),
      ]);
    },
  };
}

function isLastWord(state: Settlement["state"]): boolean {
  return state === "succeeded" || state === "cancelled";
}
