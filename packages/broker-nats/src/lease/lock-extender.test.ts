import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { LockExtender } from "./lock-extender.ts";

const ORDER = {
  subject: "$KV.locks.a",
  stream: "KV_locks",
  token: 7,
  value: '{"write":"mine"}',
  write: "mine",
};
const TURN = { number: 0, generation: 1, leaseMs: 3_000, nowMs: 1_000 };

const saying = (body: unknown): Msg => ({ json: () => body }) as unknown as Msg;
const entry = (write: string, seq = 9) => ({
  message: { seq, data: Buffer.from(JSON.stringify({ write })).toString("base64") },
});

/** The thread's write was refused over its revision, and the entry is read. */
async function judged(read: unknown) {
  const nc = {
    publish: () => {},
    request: () => Promise.resolve(saying(read)),
  } as unknown as NatsConnection;
  const extender = new LockExtender();
  extender.send(nc, TURN, ORDER, "_INBOX.a");
  const refused = saying({ error: { code: 400, err_code: 10071 } });
  return (await extender.judge(nc, TURN.number, TURN.generation, refused)).kind;
}

test("another's entry, and none, end the extending of a lock", async () => {
  expect(await judged(entry("theirs"))).toBe("superseded");
  expect(await judged({ error: { code: 404, err_code: 10037 } })).toBe("superseded");
});

test("another's entry of before its own is what a leader says that was replaced", async () => {
  expect(await judged(entry("theirs", 6))).toBe("unknown");
});

test("its own entry lets it go on: an answer was lost", async () => {
  expect(await judged(entry("mine"))).toBe("unknown");
});

test.each([10008, 10009, 10118, 10119])(
  "%i, said while a leader is missing, tells nothing of the lock",
  async (code) => {
    expect(await judged({ error: { code: 503, err_code: code } })).toBe("unknown");
  },
);
