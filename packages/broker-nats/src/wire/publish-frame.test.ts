import type { NatsConnection } from "@nats-io/nats-core";
import { ProtocolHandler } from "@nats-io/nats-core/internal";
import { expect, test, vi } from "vitest";
import { encodeHeaders, rawHeaders } from "./headers.ts";
import { publishFrame } from "./publish-frame.ts";

/** A connection whose commands are kept instead of sent. */
function kept() {
  const sent: Buffer[] = [];
  const protocol = {
    outBytes: 0,
    outMsgs: 0,
    noMorePublishing: false,
    sendCommand: (command: string | Uint8Array, ...more: Uint8Array[]) =>
      void sent.push(Buffer.concat([Buffer.from(command), ...more])),
  };
  const publish = vi.fn();
  const nc = { protocol, publish, isClosed: () => false };
  return { nc: nc as unknown as NatsConnection, protocol, publish, sent };
}

const HEADERS = encodeHeaders({ "Nats-Msg-Id": "a:1", "x-name": "Zoë" });
const body = (length: number): Uint8Array => new Uint8Array(length).fill(120);

test.each<[string, string, Uint8Array, string, Uint8Array | undefined]>([
  ["a message", "jobs.mail", body(10), "", undefined],
  ["an empty message", "jobs.mail", body(0), "", undefined],
  ["one with a reply", "jobs.mail", body(123), "_INBOX.x.1", undefined],
  ["one with headers", "jobs.mail", body(9), "", HEADERS],
  ["one with both", "jobs.mail", body(1_000), "_INBOX.x.1", HEADERS],
  ["a subject beyond ASCII", "jobs.größe", body(10), "_INBOX.x.1", HEADERS],
])("%s has the bytes that nats-core writes", (_what, subject, data, reply, headers) => {
  const [mine, theirs] = [kept(), kept()];
  publishFrame(mine.nc, subject, data, reply, headers);
  ProtocolHandler.prototype.publish.call(
    theirs.protocol as unknown as ProtocolHandler,
    subject,
    data,
    { reply, ...(headers === undefined ? {} : { headers: rawHeaders(headers) }) },
  );
  expect(mine.publish).not.toHaveBeenCalled();
  expect(mine.sent.map(String)).toEqual(theirs.sent.map(String));
  expect([mine.protocol.outBytes, mine.protocol.outMsgs]).toEqual([
    theirs.protocol.outBytes,
    theirs.protocol.outMsgs,
  ]);
});

test("what was sent is not written over, over many pools", () => {
  const { nc, sent } = kept();
  const frames: Uint8Array[] = [];
  (
    nc as unknown as { protocol: { sendCommand: (frame: Uint8Array) => void } }
  ).protocol.sendCommand = (frame) => void frames.push(frame);
  for (let i = 0; i < 5_000; i += 1) publishFrame(nc, `jobs.q${i}`, Buffer.from(`body ${i}`), "");
  frames.forEach((frame, i) => {
    const data = `body ${i}`;
    expect(Buffer.from(frame).toString()).toBe(`PUB jobs.q${i} ${data.length}\r\n${data}\r\n`);
  });
  expect(sent).toEqual([]);
});

test.each<[string, string, Uint8Array, string, (nc: ReturnType<typeof kept>) => void]>([
  ["a subject with a blank", "jobs mail", body(1), "", () => {}],
  ["a reply with a line break", "jobs", body(1), "a\r\nPUB x 0", () => {}],
  ["a long message", "jobs", body(20_000), "", () => {}],
  [
    "a draining connection",
    "jobs",
    body(1),
    "",
    ({ protocol }) => (protocol.noMorePublishing = true),
  ],
  ["a closed connection", "jobs", body(1), "", ({ nc }) => (nc.isClosed = () => true)],
  [
    "a client that keeps its insides elsewhere",
    "jobs",
    body(1),
    "",
    ({ nc }) => delete (nc as unknown as { protocol?: unknown }).protocol,
  ],
])("%s is left to nats-core", (_what, subject, data, reply, change) => {
  const made = kept();
  change(made);
  publishFrame(made.nc, subject, data, reply);
  expect(made.publish).toHaveBeenCalledWith(subject, data, reply === "" ? {} : { reply });
  expect(made.sent).toEqual([]);
});
