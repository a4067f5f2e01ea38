import type { Broker, SettlementStep } from "@millrace/core";

type Settle = Broker["settle"];

/** A broker, or one of its stores, with some methods replaced; everything else is its own. */
export function withMethods<Of extends object>(own: Of, methods: Partial<Of>): Of {
  return new Proxy(own, {
    get(target, property) {
      if (Object.hasOwn(methods, property)) return Reflect.get(methods, property) as unknown;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The same with another `settle`. */
export function withSettle(broker: Broker, settle: (own: Settle) => Settle): Broker {
  return withMethods(broker, {
    settle: settle((delivery, steps) => broker.settle(delivery, steps)),
  });
}

/** Carries the steps out one at a time, which means the same, and calls between them. */
export function stepByStep(
  broker: Broker,
  before: (step: SettlementStep, steps: readonly SettlementStep[]) => void,
): Broker {
  return withSettle(broker, (own) => async (delivery, steps) => {
    for (const step of steps) {
      before(step, steps);
      await own(delivery, [step]);
    }
    if (steps.length === 0) await own(delivery, steps);
  });
}

/**
 * What settlement must never be: the ack first. `afterAck` is called before anything is published.
 */
export function ackBeforePublish(broker: Broker, afterAck: () => Promise<void>): Broker {
  return withSettle(broker, (own) => async (delivery, steps) => {
    if (!steps.some(({ do: what }) => what === "requeue" || what === "bury"))
      return own(delivery, steps);
    await own(delivery, [{ do: "ack" }]);
    await afterAck();
    await own(
      delivery,
      steps.filter(({ do: what }) => what !== "ack"),
    );
  });
}
