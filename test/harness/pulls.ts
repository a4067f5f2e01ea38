import type { JetStreamManager } from "@nats-io/jetstream";
import type { Millrace } from "millrace";
import { administrator } from "./administrator.ts";
import { eventually } from "./deadline.ts";

/** Pauses the queue. Resolves when every node has heard it and nothing is on its way to one. */
export async function pauseHeard(
  client: Millrace,
  connection: { readonly servers: string; readonly namespace: string },
  queue: string,
): Promise<void> {
  await client.queues.pause(queue);
  const { jsm } = await administrator({ url: connection.servers });
  await nobodyPulls(jsm, `${connection.namespace}-queue-${queue}`);
}

/**
 * Resolves when no node has a pull under way on this stream of a queue. One that has heard a pause
 * takes its pulls back a moment later, and what is stored in that moment still goes to it.
 */
export async function nobodyPulls(jsm: JetStreamManager, stream: string): Promise<void> {
  const pulls = async (): Promise<number> => {
    const consumers = await jsm.consumers.list(stream).next();
    return consumers.reduce((sum, { num_waiting: waiting }) => sum + waiting, 0);
  };
  await eventually(async () => (await pulls()) === 0, {
    withinMs: 60_000,
    describe: `no node pulls from ${stream}`,
  });
}
