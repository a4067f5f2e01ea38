import { describe, expect, it } from "vitest";
import { FrameCutter, isPubAck } from "./nats-frames.ts";

const STREAM = Buffer.from(
  "INFO {}\r\nPING\r\nMSG a.b 7 5\r\nhe\r\no\r\nHMSG a 1 _R.1 18 20\r\nNATS/1.0\r\nA: b\r\n\r\n{}\r\nPUB x _R.2 0\r\n\r\n+OK\r\n",
);

describe("FrameCutter", () => {
  it.each([1, 2, 3, 7, 1000])("cuts the same pieces out of chunks of %i bytes", (size) => {
    const cutter = new FrameCutter();
    const pieces = [];
    for (let at = 0; at < STREAM.length; at += size)
      pieces.push(...cutter.push(STREAM.subarray(at, at + size)));
    expect(Buffer.concat(pieces.map(({ bytes }) => bytes)).toString()).toBe(STREAM.toString());
    const frames = pieces.flatMap(({ frame }) => (frame === undefined ? [] : [frame]));
    expect(
      frames.map(({ verb, subject, reply, payload }) => [verb, subject, reply, payload.toString()]),
    ).toEqual([
      ["MSG", "a.b", undefined, "he\r\no"],
      ["HMSG", "a", "_R.1", "{}"],
      ["PUB", "x", "_R.2", ""],
    ]);
    expect(frames[1]?.headers).toContain("A: b");
  });
});

describe("isPubAck", () => {
  const frame = (payload: string) =>
    ({
      verb: "MSG",
      subject: "_INBOX.1",
      reply: undefined,
      headers: "",
      payload: Buffer.from(payload),
    }) as const;
  it.each([
    ['{"stream":"S", "seq":3}', true],
    ['{"stream":"S","seq":3,"duplicate":true}', true],
    ['{"type":"io.nats.jetstream.api.v1.stream_msg_get_response","stream":"S","seq":3}', false],
    ["+ACK", false],
  ])("%s: %s", (payload, expected) => {
    expect(isPubAck(frame(payload))).toBe(expected);
  });
});
