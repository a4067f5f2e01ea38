import { AckPolicy, DiscardPolicy, RetentionPolicy, type StreamConfig } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { patientManager } from "../harness/administrator.ts";
import { patient } from "../harness/cluster/mode.ts";

/** A work queue `Q` on `jobs.>` with one durable `W`. */
export async function workQueue(
  nc: NatsConnection,
  options: { readonly ackWaitMs?: number; readonly stream?: Partial<StreamConfig> } = {},
): Promise<void> {
  const jsm = await patientManager(nc);
  await jsm.streams.add({
    name: "Q",
    subjects: ["jobs.>"],
    retention: RetentionPolicy.Workqueue,
    discard: DiscardPolicy.New,
    ...options.stream,
  });
  await jsm.consumers.add("Q", {
    durable_name: "W",
    ack_policy: AckPolicy.Explicit,
    ack_wait: (options.ackWaitMs ?? 30_000) * 1e6,
    max_ack_pending: 1_000,
  });
}

/** A stream that takes messages and acknowledges none. */
export async function deafStream(nc: NatsConnection, subject: string): Promise<void> {
  const jsm = await patientManager(nc);
  await jsm.streams.add({ name: "DEAF", subjects: [subject], no_ack: true });
}

/**
 * Resolves when the condition holds, checked on every turn of `signal`; rejects naming what was
 * missing.
 */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const withinMs = patient(deadlineMs);
  for (const deadline = performance.now() + withinMs; !(await holds());) {
    if (performance.now() > deadline)
      throw new Error(`Still missing after ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
