import { expect, test } from "vitest";
import { judgeQueue, type QueueSeen } from "./judge-queue.ts";

const LANE = {
  durable_name: "workers",
  max_deliver: -1,
  ack_wait: 30e9,
  max_ack_pending: 50_000,
  max_waiting: 10_000,
  num_replicas: 0,
};
const seen = (change: object = {}) => ({ config: { ...LANE, ...change }, paused: false });
const SOUND = {
  queue: "mail",
  stream: {
    name: "millrace-queue-mail",
    discard: "new",
    retention: "workqueue",
    max_age: 0,
    num_replicas: 3,
    storage: "file",
    max_msgs_per_subject: -1,
    duplicate_window: 120e9,
  },
  consumers: [
    seen(),
    seen({ durable_name: "workers-high" }),
    seen({ durable_name: "workers-low" }),
  ],
  strangers: [],
  clustered: true,
} as unknown as QueueSeen;

/** The queue with one of its lanes' consumers changed. */
function spoiltLane(change: object): object {
  return { consumers: [...SOUND.consumers.slice(0, 2), seen(change)] };
}

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
  ["a finite max_deliver", spoiltLane({ max_deliver: 5 }), "fail", /max_deliver/],
  ["a backoff", spoiltLane({ backoff: [1e9] }), "fail", /backoff/],
  ["a short ack_wait", spoiltLane({ ack_wait: 1e9 }), "warn", /ack_wait/],
  ["a small max_ack_pending", spoiltLane({ max_ack_pending: 1 }), "warn", /--concurrency/],
  ["few waiting pulls", spoiltLane({ max_waiting: 512 }), "warn", /10,000/],
  ["fewer replicas of a consumer", spoiltLane({ num_replicas: 1 }), "warn", /replicas to 0/],
  [
    "a paused consumer",
    { consumers: [...SOUND.consumers.slice(0, 2), { ...seen(), paused: true }] },
    "warn",
    /queues pause/,
  ],
  ["memory", { stream: { ...SOUND.stream, storage: "memory" } }, "fail", /anew on files/],
  [
    "a cap a subject",
    { stream: { ...SOUND.stream, max_msgs_per_subject: 1 } },
    "fail",
    /max_msgs_per_subject/,
  ],
  [
    "a short dedupe window",
    { stream: { ...SOUND.stream, duplicate_window: 1e9 } },
    "warn",
    /duplicate_window/,
  ],
  ["another's consumer", { strangers: ["monitor"] }, "warn", /consumer rm .* monitor/],
  ["a lane without a consumer", { consumers: [seen()] }, "warn", /lane without a consumer/],
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
