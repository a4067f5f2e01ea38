import { type Envelope, UNSETTLED } from "@millrace/core";
import { expect, test } from "vitest";
import { Names } from "../topology/subjects.ts";
import { delayedMessage, postponeMs } from "./delayed-message.ts";
import { readPlace } from "./delayed-place.ts";

const names = new Names("ns");
const now = Date.UTC(2030, 0, 1);
const envelope: Envelope = {
  ...UNSETTLED,
  id: "a:1",
  name: "n",
  queue: "mail",
  lane: "high",
  payload: null,
  createdAt: now,
  headers: {},
  generation: 3,
};
const requeue = {
  subject: "ns.requeue.mail.high",
  data: new Uint8Array([1]),
  headers: { "Nats-Msg-Id": "mail/millrace/a:1/3", traceparent: "t" },
};

test("a server with schedules holds the job until a second before its time", () => {
  const { subject, headers } = delayedMessage(requeue, envelope, now + 60_000, names, {
    now,
    schedules: true,
  });
  expect(subject).toBe("ns.delayed.mail.a:1.3");
  expect(headers).toMatchObject({
    "Nats-Schedule": "@at 2030-01-01T00:00:59.000Z",
    "Nats-Schedule-Target": "ns.due.mail.a:1.3",
    "Nats-Msg-Id": "mail/millrace/a:1/3",
    "Millrace-Msg-Id": "millrace/a:1/3",
    "Millrace-Lane": "high",
    traceparent: "t",
  });
});

test.each([
  ["its first message", { firstStoredAt: 7 }, "3-7"],
  ["the place of that, where it had another id", { firstStoredAt: 7, unkeyed: 2 }, "3-7-2"],
  ["the success of the job before it", { generation: 0, unkeyed: now }, `0-${now}`],
  ["nothing, as older versions have it", {}, "3"],
] as const)("its place among those of its id is told by %s", (_what, more, place) => {
  const job = { ...envelope, ...more };
  const { subject } = delayedMessage(requeue, job, now, names, { now, schedules: true });
  expect(subject).toBe(`ns.due.mail.a:1.${place}`);
  expect(readPlace({ queue: "mail", id: "a:1", place }).generation).toBe(job.generation);
});

test.each([
  ["without schedules", 60_000, false],
  ["when it is due before a schedule could fire", 1_250, true],
])("the mover gets it at once %s", (_when, delayMs, schedules) => {
  const { subject, headers } = delayedMessage(requeue, envelope, now + delayMs, names, {
    now,
    schedules,
  });
  expect(subject).toBe("ns.due.mail.a:1.3");
  expect(headers).not.toHaveProperty("Nats-Schedule");
});

test.each([
  [-5, 0],
  [0, 0],
  [1_250, 0],
  [1_251, 251],
  [10_000.7, 9_000],
  [400 * 86_400_000, 86_400_000],
])("a job due in %d ms is given back for %d ms", (dueInMs, expected) => {
  expect(postponeMs(now + dueInMs, now)).toBe(expected);
});
