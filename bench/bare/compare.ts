// Millrace's primitives against the bare loops, interleaved:
// `node bench/bare/compare.ts <server url> [messages] [rounds]`.
import { type ConnectionOptions, connect } from "@nats-io/transport-node";
import { ConfirmedPublisher } from "../../packages/broker-nats/src/publish/confirmed-publisher.ts";
import { ack } from "../../packages/broker-nats/src/pull/ack.ts";
import { PullSubscription } from "../../packages/broker-nats/src/pull/pull-subscription.ts";
import { barePublish } from "./bare-publish.ts";
import { barePullAck } from "./bare-pull.ts";
import { cpuPerMessageUs, perSecond, type Run, timed } from "./stopwatch.ts";
import { layOut } from "./streams.ts";

const [url = "127.0.0.1:4222", messagesGiven = "100000", roundsGiven = "5"] = process.argv.slice(2);
const messages = Number(messagesGiven);
const rounds = Number(roundsGiven);
const options: ConnectionOptions = { servers: url, noAsyncTraces: true };
const payload = new Uint8Array(128).fill(120);
const WINDOW = 1_024;
const SLOTS = 256;
const runs = new Map<string, Run[]>();

async function measure(name: string, work: () => Promise<void>): Promise<void> {
  runs.set(name, [...(runs.get(name) ?? []), await timed(messages, work)]);
}

for (let round = 0; round < rounds; round += 1) {
  const nc = await connect(options);
  const namespace = `compare${process.pid}x${round}`;
  const subject = `${namespace}.jobs.bench`;
  const streams = await layOut(nc, namespace);

  const bare = (id: string): Promise<void> =>
    barePublish(nc, {
      messages,
      payload,
      window: WINDOW,
      subject: () => subject,
      messageId: (index) => `${id}-${index}`,
    });
  const many = async (id: string): Promise<void> => {
    const publisher = new ConfirmedPublisher(nc, { window: WINDOW });
    const items = function* () {
      for (let index = 0; index < messages; index += 1)
        yield { subject, data: payload, headers: { "Nats-Msg-Id": `${id}-${index}` } };
    };
    const outcomes = await publisher.publishMany(items());
    if (!outcomes.every((outcome) => outcome.kind === "stored"))
      throw new Error("a message was not stored");
    await publisher.close();
  };
  const each = async (id: string): Promise<void> => {
    const publisher = new ConfirmedPublisher(nc, { window: WINDOW });
    let next = 0;
    const producer = async (): Promise<void> => {
      while (next < messages)
        await publisher.publish(subject, payload, { "Nats-Msg-Id": `${id}-${next++}` });
    };
    await Promise.all(Array.from({ length: WINDOW }, producer));
    await publisher.close();
  };
  const barePull = (): Promise<void> =>
    barePullAck(nc, { stream: streams.queue, consumer: streams.consumer, messages, slots: SLOTS });
  const pull = async (): Promise<void> => {
    const seen = new Set<number>();
    const done = Promise.withResolvers<void>();
    const pulls: PullSubscription = new PullSubscription({
      nc,
      stream: streams.queue,
      consumer: streams.consumer,
      // Acked before the next is looked at: every slot is always free again.
      freeSlots: () => SLOTS,
      onMessage: (delivery) => {
        seen.add(delivery.streamSequence);
        ack(nc, delivery.ackSubject);
        pulls.slotFreed();
        if (seen.size === messages) done.resolve();
      },
    });
    await done.promise;
    await pulls.stop();
    await nc.flush();
  };

  // Each publish fills the queue for a pull; the pairs rotate, so that none always runs first.
  const publishes: [string, (id: string) => Promise<void>][] = [
    ["bare publish", bare],
    ["publishMany", many],
    ["publish", each],
  ];
  const pulls: [string, () => Promise<void>][] = [
    ["bare pull + ack", barePull],
    ["PullSubscription + ack", pull],
  ];
  for (let turn = 0; turn < 6; turn += 1) {
    const [publishName, publish] = publishes[(round + turn) % 3] as (typeof publishes)[number];
    const [pullName, drain] = pulls[(round + turn) % 2] as (typeof pulls)[number];
    await measure(publishName, () => publish(`${namespace}-${turn}`));
    await measure(pullName, drain);
  }
  await streams.remove();
  await nc.close();
}

const median = (name: string, of: (run: Run) => number): number => {
  const values = (runs.get(name) ?? []).map(of).sort((a, b) => a - b);
  return values[Math.floor(values.length / 2)] ?? 0;
};
const percent = (share: number): string => `${Math.round(share * 100)} %`.padStart(6);
for (const name of runs.keys()) {
  const limit =
    name.toLowerCase().includes("pull +") || name.startsWith("Pull")
      ? "bare pull + ack"
      : "bare publish";
  const rate = median(name, perSecond);
  const cpu = median(name, cpuPerMessageUs);
  console.log(
    `${name.padEnd(24)} ${String(rate).padStart(7)}/s ${percent(rate / median(limit, perSecond))} of bare   ` +
      `${String(cpu).padStart(5)} µs CPU each ${percent(median(limit, cpuPerMessageUs) / cpu)} of bare`,
  );
}
