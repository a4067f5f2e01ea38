// Millrace's primitives against the bare loops, interleaved: `node bench/bare/compare.ts <server url> [messages] [rounds]`.
import { type ConnectionOptions, connect } from "@nats-io/transport-node";
import { ConfirmedPublisher } from "../../packages/broker-nats/src/publish/confirmed-publisher.ts";
import { barePublish } from "./bare-publish.ts";
import { perSecond, timed } from "./stopwatch.ts";
import { layOut } from "./streams.ts";

const [url = "127.0.0.1:4222", messagesGiven = "100000", roundsGiven = "5"] = process.argv.slice(2);
const messages = Number(messagesGiven);
const rounds = Number(roundsGiven);
const options: ConnectionOptions = { servers: url, noAsyncTraces: true };
const payload = new Uint8Array(128).fill(120);
const rates = new Map<string, number[]>();

async function measure(name: string, work: () => Promise<void>): Promise<void> {
  const rate = perSecond(await timed(messages, work));
  rates.set(name, [...(rates.get(name) ?? []), rate]);
}

for (let round = 0; round < rounds; round += 1) {
  const nc = await connect(options);
  const namespace = `compare${process.pid}x${round}`;
  const subject = `${namespace}.jobs.bench`;
  const streams = await layOut(nc, namespace);
  const scenarios: [string, (id: string) => Promise<void>][] = [
    ["bare publish with id", (id) => barePublish(nc, { messages, payload, window: 1_024, subject: () => subject, messageId: (index) => `${id}-${index}` })],
    ["publishMany", (id) => publishMany(id)],
    ["publish, all awaited", (id) => publishEach(id)],
  ];
  const publishMany = async (id: string): Promise<void> => {
    const publisher = new ConfirmedPublisher(nc, { window: 1_024 });
    const items = function* () {
      for (let index = 0; index < messages; index += 1) yield { subject, data: payload, headers: { "Nats-Msg-Id": `${id}-${index}` } };
    };
    const outcomes = await publisher.publishMany(items());
    if (!outcomes.every((outcome) => outcome.kind === "stored")) throw new Error("a message was not stored");
    await publisher.close();
  };
  const publishEach = async (id: string): Promise<void> => {
    const publisher = new ConfirmedPublisher(nc, { window: 1_024 });
    const acks = Array.from({ length: messages }, (_, index) => publisher.publish(subject, payload, { "Nats-Msg-Id": `${id}-${index}` }));
    await Promise.all(acks);
    await publisher.close();
  };
  // Rotated, so that no scenario always runs first.
  for (let turn = 0; turn < scenarios.length; turn += 1) {
    const [name, work] = scenarios[(round + turn) % scenarios.length] as [string, (id: string) => Promise<void>];
    await measure(name, () => work(`${namespace}-${turn}`));
  }
  await streams.remove();
  await nc.close();
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
for (const [name, values] of rates) console.log(`${name.padEnd(32)} median ${median(values)}/s   ${values.join(" ")}`);
