import type { Broker, SettlementStep } from "@millrace/core";
import { portRealm } from "./world/port-realm.ts";
import type { RealmOf } from "./world/realm.ts";

/** Each run's end is recorded, whatever another run has recorded. */
export const recordsEveryEnd: RealmOf = unfenced(portRealm());

/** What is sent again outlives its lease: the exchange once did so for 30 s. What fences ends is left out, because it is enough. */
export const repeatsWithoutLease: RealmOf = unfenced(portRealm({ repeatsWithoutLease: true }));

/** What follows a success is published before the success is on record. */
export const followsBeforeRecord: RealmOf = reordered((steps) => {
  const following = steps.filter((step) => step.do === "enqueue");
  return [...following, ...steps.filter((step) => step.do !== "enqueue")];
});

/** A failed attempt's retry is left out: only its record tells of it. */
export const losesRetries: RealmOf = reordered((steps) =>
  steps.filter((step) => step.do !== "requeue"),
);

function unfenced(realm: RealmOf): RealmOf {
  return reordered((steps) => steps.map(withoutFence), realm);
}

/** What one step becomes is the same each time: a settlement that is tried again leaves out what is confirmed. */
const bare = new WeakMap<SettlementStep, SettlementStep>();

function withoutFence(step: SettlementStep): SettlementStep {
  if (step.do !== "record") return step;
  const { firstStoredAt: _left, ...record } = step.record;
  const made = bare.get(step) ?? { ...step, record };
  bare.set(step, made);
  return made;
}

/** A port whose settlements are carried out in another order, as they would be with the fault in the code. */
function reordered(
  order: (steps: readonly SettlementStep[]) => readonly SettlementStep[],
  realmOf: RealmOf = portRealm(),
): RealmOf {
  return (timeline, network, tap) => {
    const realm = realmOf(timeline, network, tap);
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
