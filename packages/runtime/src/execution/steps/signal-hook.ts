import type { Broker, SecondLooks, SettlementStep } from "@millrace/core";
import type { Settled, SettlementHook } from "../settle/settlement-hook.ts";
import type { Registry } from "../../registry/registry.ts";
import { unaskedBy } from "./left-unasked.ts";
import { wakeIfAnswered, wakeRun } from "./wake-job.ts";

/**
 * The look after a job was put aside because its steps wait: a signal that came between its last
 * look and that is nobody's else to find. It can't be spared: without it such a job would wait
 * until its deadline.
 *
 * @returns undefined for a node whose jobs have no steps
 */
export function signalHook(
  broker: Pick<Broker, "delayed" | "history" | "journal" | "signals">,
  registry: Pick<Registry, "jobs" | "get">,
  looks: SecondLooks,
): SettlementHook | undefined {
  if (!registry.jobs.some((job) => job.steps !== undefined)) return undefined;
  return {
    concerns: ({ name, queue }, { state, steps }) =>
      (state === "recalled" || (state === "requeued" && steps.some(isSnooze))) &&
      registry.get(name, queue)?.steps !== undefined,
    beforeAck: async ({ envelope, settlement, recorded }: Settled) => {
      // What an earlier holder did isn't said here: if it has put the job aside, it is looked at.
      if (settlement.state === "recalled" && recorded?.state !== "requeued") return;
      const unasked = unaskedBy(envelope);
      // The handler's own `snooze()` holds, whatever has come: it would ask for as much once more.
      if (settlement.state === "requeued" && unasked === undefined) return;
      const { id, queue, createdAt } = settlement.envelope;
      const run = { id, queue, createdAt };
      const looked = { unasked };
      const look = settlement.state === "recalled" ? wakeRun : wakeIfAnswered;
      if (!(await look(broker, run, looked)))
        looks.later(`${queue} ${id}`, async () => void (await wakeRun(broker, run, looked)));
    },
  };
}

function isSnooze(step: SettlementStep): boolean {
  return step.do === "record" && step.record.outcome === "snoozed";
}
