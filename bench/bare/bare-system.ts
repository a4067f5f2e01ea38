import { createInbox, type Msg, type NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { createBenchQueue } from "../scenarios/bench-queue.ts";
import { QUEUE } from "../scenarios/no-op-job.ts";
import type { JobQueue, JobSystem } from "../systems/job-system.ts";

const SLOTS = 256;

/**
 * The bare client behind the same words as a job runtime: a message is its number, and a worker is
 * a pull that acks when its handler has ended.
 */
export const bareSystem: JobSystem = { name: "bare client", server: "nats", open };

async function open(url: string, namespace: string): Promise<JobQueue> {
  const queue = await createBenchQueue(url, namespace);
  const producer = await connect({ servers: url, noAsyncTraces: true });
  const inbox = `${createInbox()}.`;
  const waiting = new Map<string, () => void>();
  let sent = 0;
  producer.subscribe(`${inbox}*`, {
    callback: (_error, { subject }) => {
      waiting.get(subject)?.();
      waiting.delete(subject);
    },
  });
  const add = (n: number): Promise<void> => {
    const reply = inbox + sent++;
    return new Promise((resolve) => {
      waiting.set(reply, resolve);
      producer.publish(`${namespace}.jobs.${QUEUE}`, String(n), { reply });
    });
  };
  return {
    add: ({ n }) => add(n),
    addMany: async (inputs) => void (await Promise.all(inputs.map(({ n }) => add(n)))),
    addLater: () => Promise.reject(new Error("the bare client has no delays")),
    async work(onStart) {
      const worker = await connect({ servers: url, noAsyncTraces: true });
      pull(worker, `${queue.stream}.${queue.consumer}`, onStart);
      return { stop: () => worker.close() };
    },
    async unfinished() {
      const { queued: left, running } = await queue.snapshot();
      return left + running;
    },
    async [Symbol.asyncDispose]() {
      await producer.close();
      await queue[Symbol.asyncDispose]();
    },
  };
}

function pull(
  worker: NatsConnection,
  consumer: string,
  onStart: (n: number) => void | Promise<void>,
): void {
  const inbox = createInbox();
  let asked = 0;
  const refill = (): void => {
    const batch = SLOTS - asked;
    if (batch < SLOTS / 4) return;
    asked += batch;
    const wish = `{"batch":${batch},"expires":300000000000}`;
    worker.publish(`$JS.API.CONSUMER.MSG.NEXT.${consumer}`, wish, { reply: inbox });
  };
  const handle = async (message: Msg): Promise<void> => {
    await onStart(Number(message.string()));
    worker.publish(message.reply ?? "", "+ACK");
  };
  worker.subscribe(inbox, {
    callback: (_error, message) => {
      asked -= 1;
      refill();
      void handle(message);
    },
  });
  refill();
}
