// Prints messages per second of the bare loops:
// `node bench/bare/main.ts <server url> [messages] [rounds]`.
import { connect } from "@nats-io/transport-node";
import { barePublish } from "./bare-publish.ts";
import { barePullAck, barePullHistoryAck } from "./bare-pull.ts";
import { perSecond, timed } from "./stopwatch.ts";
import { layOut } from "./streams.ts";

const [url = "127.0.0.1:4222", messagesGiven = "100000", roundsGiven = "3"] = process.argv.slice(2);
const messages = Number(messagesGiven);
const nc = await connect({ servers: url, noAsyncTraces: true });
const payload = new Uint8Array(128).fill(120);

for (let round = 1; round <= Number(roundsGiven); round += 1) {
  const namespace = `bare${process.pid}x${round}`;
  const streams = await layOut(nc, namespace);
  const pull = { stream: streams.queue, consumer: streams.consumer, messages, slots: 256 };
  const publish = { messages, payload, window: 1_000, subject: () => `${namespace}.jobs.bench` };
  const fill = (): Promise<void> => barePublish(nc, publish);
  const report = async (name: string, work: () => Promise<void>): Promise<void> =>
    console.log(`${name.padEnd(40)} ${perSecond(await timed(messages, work))}/s`);

  await report("publish, confirmed", fill);
  await report("pull + ack", () => barePullAck(nc, pull));
  await report("publish, confirmed, Nats-Msg-Id", () =>
    barePublish(nc, { ...publish, messageId: (index) => `${namespace}-${index}` }),
  );
  await report("pull + history (confirmed) + ack", () =>
    barePullHistoryAck(nc, {
      ...pull,
      historyPrefix: `${namespace}.history.bench`,
      record: payload,
      confirm: true,
    }),
  );
  await fill();
  await report("pull + history (unconfirmed) + ack", () =>
    barePullHistoryAck(nc, {
      ...pull,
      consumer: streams.consumer,
      historyPrefix: `${namespace}.history.other`,
      record: payload,
      confirm: false,
    }),
  );
  await streams.remove();
}
await nc.close();
