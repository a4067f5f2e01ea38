import { LANE_NAMES } from "@millrace/core";
import { expect, test } from "vitest";
import { Names } from "./subjects.ts";

const names = new Names("ns");

test.each([
  ["ns.jobs.mail", { origin: "producer", queue: "mail", lane: undefined }],
  ["ns.jobs.mail.high", { origin: "producer", queue: "mail", lane: "high" }],
  ["ns.requeue.mail.low", { origin: "runtime", queue: "mail", lane: "low" }],
  ["ns.requeue.mail", { origin: "runtime", queue: "mail", lane: undefined }],
  ["ns.jobs.mail.urgent", { origin: "producer", queue: "mail", lane: undefined }],
  ["ns.jobs.mail.urgent.more", { origin: "producer", queue: "mail", lane: undefined }],
  ["ns.jobs.mail.high.a.b", { origin: "producer", queue: "mail", lane: undefined }],
  ["ns.requeue.mail.high.a", { origin: "runtime", queue: "mail", lane: undefined }],
  ["ns.requeue.mail.woken.a", { woken: false, lane: undefined, key: undefined }],
  ["ns.requeue.mail.woken", { origin: "runtime", queue: "mail", lane: undefined }],
])("%s is a job of its queue", (subject, expected) => {
  expect(names.readQueueSubject(subject, {})).toMatchObject(expected);
});

test.each([
  ["ns.jobs.mail.normal.a", { lane: undefined, key: "a" }],
  ["ns.jobs.mail.high.a", { lane: "high", key: "a" }],
  ["ns.jobs.mail.low.a:b_c-d", { lane: "low", key: "a:b_c-d" }],
  ["ns.jobs.mail.high", { lane: "high", key: undefined }],
  ["ns.jobs.mail.normal", { lane: undefined, key: undefined }],
  ["ns.requeue.mail.normal.a", { key: undefined }],
])("%s says whose it is", (subject, expected) => {
  expect(names.readQueueSubject(subject, {})).toMatchObject({ queue: "mail", ...expected });
});

test.each([
  ["ns.requeue.mail.woken", "low", "low"],
  ["ns.requeue.mail.woken", "urgent", undefined],
  ["ns.requeue.mail.high", "low", "high"],
  // Only the runtime's word counts, and on its own door.
  ["ns.jobs.mail", "high", undefined],
  ["ns.jobs.mail.woken", "high", undefined],
])("%s with the lane %s in its header belongs to the lane %s", (subject, header, lane) => {
  expect(names.readQueueSubject(subject, { "millrace-lane": header })?.lane).toBe(lane);
});

test("every subject of a queue is one lane's, and nothing else is", () => {
  const served = (subject: string): string[] =>
    LANE_NAMES.filter((lane) => names.laneFilters("mail", lane).includes(subject));
  expect(names.queueSubjects("mail").map((subject) => [subject, served(subject)])).toEqual([
    ["ns.jobs.mail", ["normal"]],
    ["ns.jobs.mail.high", ["high"]],
    ["ns.jobs.mail.low", ["low"]],
    ["ns.jobs.mail.normal.*", ["normal"]],
    ["ns.jobs.mail.high.*", ["high"]],
    ["ns.jobs.mail.low.*", ["low"]],
    ["ns.requeue.mail.program", ["normal"]],
    ["ns.requeue.mail", ["normal"]],
    ["ns.requeue.mail.high", ["high"]],
    ["ns.requeue.mail.low", ["low"]],
    ["ns.requeue.mail.woken", ["high"]],
  ]);
  const filters = LANE_NAMES.flatMap((lane) => names.laneFilters("mail", lane));
  expect(filters.toSorted()).toEqual(names.queueSubjects("mail").toSorted());
});

test.each(["other.jobs.mail", "ns.dead.mail.id", "nsx.jobs.mail", ""])(
  "%j is no queue's",
  (subject) => {
    expect(names.readQueueSubject(subject, {})).toBeUndefined();
  },
);

test("no token of a lane's filters is a pattern in one of them and a word in another", () => {
  for (const lane of LANE_NAMES) {
    const filters = names.laneFilters("mail", lane).map((filter) => filter.split("."));
    for (const one of filters)
      for (const [depth, token] of one.entries()) {
        const beside = filters.filter(
          (other) => other.slice(0, depth).join(".") === one.slice(0, depth).join("."),
        );
        const patterns = beside.filter((other) => other[depth] === "*").length;
        const words = beside.filter((other) => (other[depth] ?? "*") !== "*").length;
        expect(token === "*" ? words : patterns).toBe(0);
      }
  }
});

test("what is published is what a queue's stream takes, and is read back", () => {
  for (const lane of [undefined, "high", "low"] as const) {
    for (const subject of [names.jobs("mail", lane), names.requeue("mail", lane)]) {
      expect(names.queueSubjects("mail")).toContain(subject);
      expect(names.readQueueSubject(subject, {})).toMatchObject({ queue: "mail", lane });
    }
  }
});

test("a namespace that would make other subjects is refused", () => {
  expect(() => new Names("a.b")).toThrow(expect.objectContaining({ code: "invalid-name" }));
  expect(() => new Names("*")).toThrow(expect.objectContaining({ code: "invalid-name" }));
});
