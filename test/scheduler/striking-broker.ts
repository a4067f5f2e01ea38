import type { Broker, DocumentStore, ScheduleState } from "@millrace/core";
import { SCHEDULE_STATE } from "@millrace/core";
import type { TickPoint } from "./program-config.ts";

/** Calls at each point of each tick that this node makes. */
export function strikingBroker(broker: Broker, at: (point: TickPoint) => void): Broker {
  return replacing(broker, {
    documents: async (bucket: string): Promise<DocumentStore> => {
      const store = await broker.documents(bucket);
      if (bucket !== SCHEDULE_STATE) return store;
      return replacing(store, {
        put: async (key: string, value: unknown, expected?: number): Promise<number> => {
          const intends = (value as ScheduleState).intent !== undefined;
          at(intends ? "before-intent" : "before-last-tick");
          const revision = await store.put(key, value, expected);
          at(intends ? "after-intent" : "after-last-tick");
          return revision;
        },
      });
    },
    enqueue: async (...given: Parameters<Broker["enqueue"]>) => {
      at("before-publish");
      const published = broker.enqueue(...given);
      // By then the bytes may be with the system, or not.
      setImmediate(() => at("while-publishing"));
      const results = await published;
      at("after-publish");
      return results;
    },
  });
}

function replacing<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get(own, property) {
      const value: unknown = Reflect.get(replaced, property) ?? Reflect.get(own, property, own);
      return typeof value === "function" ? value.bind(own) : value;
    },
  });
}
