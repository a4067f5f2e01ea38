import { type Broker, type Envelope, type SettlementStep, withOwn } from "@millrace/core";
import type { MemoryBroker } from "../../memory-broker.ts";

/** One thing done wrong, and the case that must notice. */
export interface Sabotage {
  readonly wrong: string;
  readonly noticedBy: string;
  readonly spoil: (honest: MemoryBroker) => Partial<Broker>;
}

/** The honest broker but for what was spoilt. */
export function spoilt(honest: MemoryBroker, spoil: Sabotage["spoil"]): Broker {
  return withOwn<Broker>(honest, spoil(honest));
}

/** Settles as told, but for these steps. */
export function spoiltSteps(
  honest: MemoryBroker,
  spoil: (steps: readonly SettlementStep[]) => readonly SettlementStep[],
): Pick<Broker, "settle"> {
  return { settle: (delivery, steps) => honest.settle(delivery, spoil(steps)) };
}

export function spoiltRequeues(
  honest: MemoryBroker,
  spoil: (envelope: Envelope) => Envelope,
): Pick<Broker, "settle"> {
  return spoiltSteps(honest, (steps) =>
    steps.map((step) =>
      step.do === "requeue" ? { ...step, envelope: spoil(step.envelope) } : step,
    ),
  );
}
