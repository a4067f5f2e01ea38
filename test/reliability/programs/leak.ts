import { openSync } from "node:fs";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, nanos, type NatsConnection } from "@nats-io/transport-node";
import { type ConnectConfig, QUEUE } from "./work.ts";

const KEPT_PER_JOB = 16_000;
const kept: number[][] = [];

/**
 * What no node may do, to prove that the soak sees it: each call keeps 128 kB of heap, a file
 * descriptor, a timer, a subscription and a consumer on the server.
 */
export async function startLeaking(config: ConnectConfig): Promise<() => Promise<void>> {
  const nc: NatsConnection = await connect({ servers: config.servers });
  const jsm = await jetstreamManager(nc);
  return async () => {
    kept.push(Array.from({ length: KEPT_PER_JOB }, (_, index) => index + 0.5));
    openSync("/dev/null", "r");
    setTimeout(() => {}, 3_600_000);
    nc.subscribe(`leak.${kept.length}`);
    await jsm.consumers.add(`${config.namespace}-history`, {
      filter_subject: `${config.namespace}.history.${QUEUE}.>`,
      inactive_threshold: nanos(3_600_000),
    });
  };
}
