import type { Broker, SettlementStep } from "@millrace/core";
import { portRealm } from "./world/port-realm.ts";
import type { RealmOf } from "./world/realm.ts";

/** What is sent again outlives its lease: the exchange once did so for 30 s. */
export const repeatsWithoutLease: RealmOf = portRealm({ repeatsWithoutLease: true });

/** What follows a success is published before the success is on record. */
export const followsBeforeRecord: RealmOf = reordered((steps) => {
  const following = steps.filter((step) => step.do === "enqueue");
  return [...following, ...steps.filter((step) => step.do !== "enqueue")];
});

/** A failed attempt's retry is left out: only its record tells of it. */
export const losesRetries: RealmOf = reordered((steps) =>
  steps.filter((step) => step.do !== "requeue"),
);

/** A port whose settlements are carried out in another order, as they would be with the fault in the code. */
function reordered(
  order: (steps: readonly SettlementStep[]) => readonly SettlementStep[],
): RealmOf {
  return (timeline, network, tap) => {
    const realm = portRealm()(timeline, network, tap);
    const spoil = (broker: Broker): Broker => {
      const settle: Broker["settle"] = (delivery, steps) => broker.settle(delivery, order(steps));
      return new Proxy(broker, {
        get: (target, name) => (name === "settle" ? settle : boundTo(target, name)),
      });
    };
    return {
      ...realm,
      brokerFor: (process) => {
        const broker = realm.brokerFor(process);
        return broker instanceof Promise ? broker.then(spoil) : spoil(broker);
      },
    };
  };
}

function boundTo(target: Broker, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target);
  return typeof value === "function" ? (value.bind(target) as unknown) : value;
}
