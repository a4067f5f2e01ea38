import type { Broker, SettlementStep } from "@millrace/core";

type Settle = Broker["settle"];

/**
 * The same broker with another `settle`. Not by core's `withOwn`: nodes of older code run this,
 * too.
 */
export function withSettle(broker: Broker, settle: (own: Settle) => Settle): Broker {
  const replaced = settle((delivery, steps) => broker.settle(delivery, steps));
  return new Proxy(broker, {
    get(target, property) {
      if (property === "settle") return replaced;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
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
