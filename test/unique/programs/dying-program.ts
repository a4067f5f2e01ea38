import { connectBroker } from "@millrace/broker-nats";
import { type Broker, brokerOutlet, Producer, systemClock } from "@millrace/core";
import { indexJob, type RuleName, RULES } from "../index-job.ts";

/**
 * Enqueues one job and says when it has come to a step, where it stays: the test kills it there.
 *
 * Arguments: server, namespace, step, rule, id.
 */
const [servers = "", namespace = "", step = "", rule = "pending", id = ""] = process.argv.slice(2);

const broker = await connectBroker({ servers, namespace });
const stay = (): Promise<never> => {
  process.send?.({ at: step });
  // Keeps the process alive, as a connection does.
  return new Promise(() => setInterval(() => {}, 1_000));
};

const stopping: Broker = Object.create(broker, {
  documents: {
    value: (bucket: string) => (step === "before the claim" ? stay() : broker.documents(bucket)),
  },
  enqueue: {
    value: async (...args: Parameters<Broker["enqueue"]>) => {
      if (step === "between claim and publish") return stay();
      await broker.enqueue(...args);
      return stay();
    },
  },
  findWaiting: { value: broker.findWaiting.bind(broker) },
  history: { value: broker.history },
}) as Broker;

await new Producer(brokerOutlet(stopping), systemClock).enqueue(
  indexJob(RULES[rule as RuleName]),
  { doc: "a", version: 1 },
  { id },
);
