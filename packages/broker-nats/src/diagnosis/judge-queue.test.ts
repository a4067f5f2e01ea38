import { expect, test } from "vitest";
import { judgeQueue, type QueueSeen } from "./judge-queue.ts";

const SOUND = {
  queue: "mail",
  stream: {
    name: "millrace-queue-mail",
    discard: "new",
    retention: "workqueue",
    max_age: 0,
    num_replicas: 3,
  },
  consumer: { durable_name: "workers", max_deliver: -1, ack_wait: 30e9 },
  clustered: true,
} as unknown as QueueSeen;

test("a queue as Millrace makes it is sound", () => {
  expect(judgeQueue(SOUND)).toEqual([{ check: "queue mail", status: "ok", message: "is sound" }]);
});

test.each([
  ["discard old", { stream: { ...SOUND.stream, discard: "old" } }, "fail", /drops jobs/],
  ["another retention", { stream: { ...SOUND.stream, retention: "limits" } }, "fail", /workqueue/],
  ["an age limit", { stream: { ...SOUND.stream, max_age: 60e9 } }, "fail", /max_age/],
  [
    "one replica in a cluster",
    { stream: { ...SOUND.stream, num_replicas: 1 } },
    "warn",
    /replicas/,
  ],
  [
    "a finite max_deliver",
    { consumer: { ...SOUND.consumer, max_deliver: 5 } },
    "fail",
    /max_deliver/,
  ],
  ["a backoff", { consumer: { ...SOUND.consumer, backoff: [1e9] } }, "fail", /backoff/],
  ["a short ack_wait", { consumer: { ...SOUND.consumer, ack_wait: 1e9 } }, "warn", /ack_wait/],
] as const)("%s is found, with what to do", (_what, spoilt, status, advice) => {
  const findings = judgeQueue({ ...SOUND, ...(spoilt as unknown as Partial<QueueSeen>) });
  expect(findings).toHaveLength(1);
  expect(findings[0]?.status).toBe(status);
  expect(findings[0]?.advice).toMatch(advice);
});

test("one replica is fine on a single server", () => {
  expect(
    judgeQueue({ ...SOUND, clustered: false, stream: { ...SOUND.stream, num_replicas: 1 } })[0]
      ?.status,
  ).toBe("ok");
});
