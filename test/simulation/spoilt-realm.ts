import { type Broker, type DocumentStore, type SettlementStep, withOwn } from "@millrace/core";
import { portRealm } from "./world/port-realm.ts";
import type { RealmOf } from "./world/realm.ts";

/** A realm whose brokers do some things otherwise, as they would with a fault in the code. */
export function spoilt(
  spoil: (broker: Broker) => Partial<Broker>,
  realmOf: RealmOf = portRealm(),
): RealmOf {
  return (timeline, network, tap) => {
    const realm = realmOf(timeline, network, tap);
    const spoiltBroker = (broker: Broker): Broker => withOwn(broker, spoil(broker));
    return {
      ...realm,
      brokerFor: (process) => {
        const broker = realm.brokerFor(process);
        return broker instanceof Promise ? broker.then(spoiltBroker) : spoiltBroker(broker);
      },
    };
  };
}

/** Settlements are carried out in another order, or with other steps. */
export function reordered(
  order: (steps: readonly SettlementStep[]) => readonly SettlementStep[],
  realmOf: RealmOf = portRealm(),
): RealmOf {
  return spoilt(
    (broker) => ({ settle: (delivery, steps) => broker.settle(delivery, order(steps)) }),
    realmOf,
  );
}

/** Each run's end is recorded, whatever another run has recorded. */
export function unfenced(realm: RealmOf = portRealm()): RealmOf {
  return reordered((steps) => steps.map(withoutFence), realm);
}

/**
 * What one step becomes is the same each time: a settlement that is tried again leaves out what is
 * confirmed.
 */
const bare = new WeakMap<SettlementStep, SettlementStep>();

function withoutFence(step: SettlementStep): SettlementStep {
  if (step.do !== "record") return step;
  const { firstStoredAt: _left, ...record } = step.record;
  const made = bare.get(step) ?? { ...step, record };
  bare.set(step, made);
  return made;
}

/** One bucket of documents is another. */
export function withDocuments(
  bucket: string,
  change: (store: DocumentStore) => Partial<DocumentStore>,
  realmOf: RealmOf = portRealm(),
): RealmOf {
  return spoilt(
    (broker) => ({
      documents: async (name) => {
        const store = await broker.documents(name);
        return name === bucket ? withOwn(store, change(store)) : store;
      },
    }),
    realmOf,
  );
}
