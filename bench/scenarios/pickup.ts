import { connectBroker } from "@millrace/broker-nats";
import { createNode } from "@millrace/runtime";
import { createInbox } from "@nats-io/nats-core";
import { connect as connectNats } from "@nats-io/transport-node";
import { connect } from "millrace";
import { peers } from "../systems/peers.ts";
import { pickUp } from "../systems/pick-up.ts";
import { createBenchQueue } from "./bench-queue.ts";
import { noOp, payloadOf, QUEUE } from "./no-op-job.ts";
import { sample } from "./sample.ts";
import type { Contender, Scenario } from "./scenario.ts";

/** A pull that waits, and a core publish on another connection. */
const bare: Contender = {
  name: "bare client",
  run: async ({ url, namespace, amount }) => {
    await using queue = await createBenchQueue(url, namespace);
    const producer = await connectNats({ servers: url, noAsyncTraces: true });
    const worker = await connectNats({ servers: url, noAsyncTraces: true });
    const inbox = createInbox();
    let onMessage: () => void = () => {};
    const pull = (): void =>
      worker.publish(
        `$JS.API.CONSUMER.MSG.NEXT.${queue.stream}.${queue.consumer}`,
        '{"batch":1,"expires":30000000000}',
        { reply: inbox },
      );
    worker.subscribe(inbox, {
      callback: (_error, message) => {
        onMessage();
        worker.publish(message.reply ?? "", "+ACK");
        pull();
      },
    });
    pull();
    const figure = await sample(amount, async () => {
      const arrived = Promise.withResolvers<void>();
      onMessage = arrived.resolve;
      const began = performance.now();
      producer.publish(`${namespace}.jobs.${QUEUE}`, "x");
      await arrived.promise;
      const ms = performance.now() - began;
      await worker.flush();
      return ms;
    });
    await producer.close();
    await worker.close();
    return figure;
  },
};

/** Enqueued by a client, started by a node on another connection. */
const millrace: Contender = {
  name: "Millrace",
  run: async ({ url, namespace, amount }) => {
    await using client = await connect({ servers: url, namespace });
    const broker = await connectBroker({ servers: [url], namespace });
    let onStart: () => void = () => {};
    const node = createNode({ broker, jobs: [noOp.handler(() => onStart())] });
    await node.start();
    const figure = await sample(amount, async (index) => {
      const started = Promise.withResolvers<number>();
      const settled = Promise.withResolvers<void>();
      const off = node.events.on("job.settled", () => settled.resolve());
      onStart = () => started.resolve(performance.now());
      const began = performance.now();
      const enqueued = client.enqueue(noOp, payloadOf(index));
      const ms = (await started.promise) - began;
      await Promise.all([enqueued, settled.promise]);
      off();
      return ms;
    });
    await node.stop();
    await broker.queues.remove(QUEUE);
    await broker.close();
    return figure;
  },
};

export const pickup: Scenario = {
  name: "pickup",
  question: "How long from publishing a job on an idle queue to the start of its handler?",
  amount: { full: 2_000, smoke: 30, disk: 500 },
  limit: bare,
  subject: millrace,
  peers: peers(pickUp, { share: 0.25 }),
  goal: 1 / 1.5,
};
