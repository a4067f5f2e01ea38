import type { Broker } from "../broker/broker.ts";
import type { Instrumentation, ServerEndpoint } from "./instrumentation.ts";

const DONE = { ok: true } as const;

/**
 * A broker whose publishes are surrounded; everything else goes straight to the one behind it. Only made where there is an instrumentation, so
 * that others stand on the bare broker.
 *
 * What settlement publishes is not: the attempt's own trace sees to that.
 */
export function instrumentedBroker(broker: Broker, instrumentation: Instrumentation): Broker {
  const endpoint = (): ServerEndpoint | undefined => broker.endpoint;
  const enqueue: Broker["enqueue"] = (envelopes) =>
    envelopes.length === 0
      ? broker.enqueue(envelopes)
      : instrumentation.publish({ kind: "enqueue", envelopes, endpoint }, (sent) =>
          broker.enqueue(sent),
        );
  const requeue: Broker["requeue"] = async (envelope) => {
    // A job without a generation is a new one: the callback of a batch.
    const kind = envelope.generation === 0 ? "enqueue" : "replay";
    await instrumentation.publish({ kind, envelopes: [envelope], endpoint }, async (sent) => {
      for (const one of sent) await broker.requeue(one);
      return sent.map(() => DONE);
    });
  };
  const own: Partial<Broker> = { enqueue, requeue };
  return new Proxy(broker, {
    // The broker's own getters and methods need itself as `this`: they have private fields.
    get(target, key) {
      if (key in own) return Reflect.get(own, key) as unknown;
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
