import { connect as connectNats } from "@nats-io/transport-node";
import { barePublish } from "../bare/bare-publish.ts";
import { timed } from "../bare/stopwatch.ts";
import { envelopeBytes, messageIdOf } from "./bare-envelope.ts";
import { createBenchQueue } from "./bench-queue.ts";
import { rateOf } from "./figures.ts";
import { QUEUE } from "./no-op-job.ts";
import type { Contender } from "./scenario.ts";

/**
 * The same bytes as Millrace sends, made once, with a message id of the same length, the thing that
 * makes a publish safe to repeat.
 *
 * @param window most messages on their way
 */
export function bareEnqueue(window: number): Contender {
  return {
    name: "bare client",
    run: async ({ url, namespace, amount }) => {
      await using queue = await createBenchQueue(url, namespace);
      const nc = await connectNats({ servers: url, noAsyncTraces: true });
      const payload = envelopeBytes();
      const publish = (messages: number, prefix: string): Promise<void> =>
        barePublish(nc, {
          messages,
          payload,
          window,
          subject: () => `${namespace}.jobs.${QUEUE}`,
          messageId: (index) => prefix + messageIdOf(index),
        });
      const warmUp = Math.ceil(amount / 10);
      await publish(warmUp, "warm-");
      const run = await timed(amount, () => publish(amount, ""));
      await queue.requireHolds(warmUp + amount);
      await nc.close();
      return rateOf(run);
    },
  };
}
