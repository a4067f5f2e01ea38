import type { NatsConnection } from "@nats-io/nats-core";

/** The same connection with some of its methods replaced. */
export function withMethods(
  nc: NatsConnection,
  methods: Partial<Pick<NatsConnection, "request" | "flush">>,
): NatsConnection {
  return new Proxy(nc, {
    get(target, key) {
      if (Object.hasOwn(methods, key)) return Reflect.get(methods, key) as unknown;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
