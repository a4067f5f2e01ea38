import type { Broker, DelayedStore, Envelope, SettlementStep } from "@millrace/core";
import type { MemoryBroker } from "../../memory-broker.ts";

/** One thing done wrong, and the case that must notice. */
export interface Sabotage {
  readonly wrong: string;
  readonly noticedBy: string;
  readonly spoil: (honest: MemoryBroker) => Partial<Broker>;
}

/** The honest broker but for what was spoilt. */
export function spoilt(honest: MemoryBroker, spoil: Sabotage["spoil"]): Broker {
  const overrides = spoil(honest);
  return new Proxy<Broker>(honest, {
    get: (target, property) => {
      if (Object.hasOwn(overrides, property)) return overrides[property as keyof Broker];
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
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

export function spoiltDelayed(honest: MemoryBroker, spoilt: Partial<DelayedStore>): DelayedStore {
  const { delayed } = honest;
  return {
    list: (query) => delayed.list(query),
    count: (queue) => delayed.count(queue),
    newest: () => delayed.newest(),
    of: (job) => delayed.of(job),
    move: (...given) => delayed.move(...given),
    ...spoilt,
  };
}
