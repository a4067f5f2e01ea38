// Header encoding and reading against nats-core's own, nanoseconds each:
// `node bench/bare/headers.ts`.
import { headers as natsHeaders, type Msg } from "@nats-io/nats-core";
import { MsgImpl } from "@nats-io/nats-core/internal";
import { encodeHeaders } from "../../packages/broker-nats/src/wire/headers.ts";
import { readHeaders } from "../../packages/broker-nats/src/wire/read-headers.ts";

const record = {
  "Nats-Msg-Id": "0190a5d2-7c1b-7000-8000-2f6b3c9d1e55:3",
  "Content-Type": "application/msgpack",
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
};
const names = Object.keys(record) as (keyof typeof record)[];
const encoded = encodeHeaders(record);
const received = (): Msg =>
  new MsgImpl(
    { subject: encoded, sid: 1, hdr: encoded.length, size: encoded.length },
    encoded,
    undefined as never,
  ) as Msg;

const candidates: Record<string, () => unknown> = {
  "encode, nats-core": () => {
    const made = natsHeaders();
    for (const name of names) made.set(name, record[name]);
    return (made as unknown as { encode(): Uint8Array }).encode();
  },
  "encode, encodeHeaders": () => encodeHeaders(record),
  "read, nats-core": () => {
    const found = received().headers;
    return names.map((name) => found?.get(name));
  },
  "read, readHeaders": () => readHeaders(received()),
};

let sink: unknown;
for (let round = 0; round < 3; round += 1) {
  for (const [name, work] of Object.entries(candidates)) {
    const times = 200_000;
    const start = performance.now();
    for (let i = 0; i < times; i += 1) sink = work();
    console.log(`${name.padEnd(24)} ${Math.round(((performance.now() - start) / times) * 1e6)} ns`);
  }
}
if (sink === undefined) throw new Error("nothing was measured");
