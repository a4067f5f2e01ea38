import type { Broker } from "./broker.ts";

/**
 * The broker with some methods of one's own. The rest needs the broker itself as `this`: it has
 * private fields.
 */
export function withOwn(broker: Broker, own: Partial<Broker>): Broker {
  return new Proxy(broker, {
    get(target, key) {
      if (key in own) return Reflect.get(own, key) as unknown;
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
