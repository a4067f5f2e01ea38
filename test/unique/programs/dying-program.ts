import { connectBroker } from "@millrace/broker-nats";
import { type Broker, brokerOutlet, Producer, systemClock, withOwn } from "@millrace/core";
import { indexJob, type RuleName, RULES } from "../index-job.ts";

/**
 * Enqueues one job and says when it has come to a step, where it stays: the test kills it there, or
 * freezes it and sends a message, upon which it goes on.
 *
 * Arguments: server, namespace, step, rule, id.
 */
const [servers = "", namespace = "", step = "", rule = "pending", id = ""] = process.argv.slice(2);

const broker = await connectBroker({ servers, namespace });
const stay = async (): Promise<void> => {
  const told = new Promise((resolve) => process.once("message", resolve));
  process.send?.({ at: step });
  await told;
};

const stopping = withOwn<Broker>(broker, {
  documents: async (bucket) => {
    if (step === "before the claim") await stay();
    return broker.documents(bucket);
  },
  enqueue: async (...args) => {
    if (step === "between claim and publish") await stay();
    const results = await broker.enqueue(...args);
    if (step === "after the publish") await stay();
    return results;
  },
});

await new Producer(brokerOutlet(stopping, systemClock), systemClock).enqueue(
  indexJob(RULES[rule as RuleName]),
  { doc: "a", version: 1 },
  { id },
);
await broker.close();
