import { expect, test } from "vitest";
import { Names } from "./subjects.ts";

const names = new Names("ns");

test.each([
  ["ns.jobs.mail", { origin: "producer", queue: "mail", lane: undefined }],
  ["ns.jobs.mail.high", { origin: "producer", queue: "mail", lane: "high" }],
  ["ns.requeue.mail.low", { origin: "runtime", queue: "mail", lane: "low" }],
  ["ns.requeue.mail", { origin: "runtime", queue: "mail", lane: undefined }],
  ["ns.jobs.mail.urgent", { origin: "producer", queue: "mail", lane: undefined }],
  ["ns.jobs.mail.high.more", { origin: "producer", queue: "mail", lane: undefined }],
])("%s is a job of its queue", (subject, expected) => {
  expect(names.readQueueSubject(subject)).toEqual(expected);
});

test.each(["other.jobs.mail", "ns.dead.mail.id", "nsx.jobs.mail", ""])(
  "%j is no queue's",
  (subject) => {
    expect(names.readQueueSubject(subject)).toBeUndefined();
  },
);

test("what is published is what a queue's stream takes, and is read back", () => {
  for (const lane of [undefined, "high", "low"] as const) {
    for (const subject of [names.jobs("mail", lane), names.requeue("mail", lane)]) {
      const taken = names
        .queueSubjects("mail")
        .some(
          (filter) =>
            subject === filter ||
            (filter.endsWith(".>") && subject.startsWith(filter.slice(0, -1))),
        );
      expect(taken).toBe(true);
      expect(names.readQueueSubject(subject)).toMatchObject({ queue: "mail", lane });
    }
  }
});

test("a namespace that would make other subjects is refused", () => {
  expect(() => new Names("a.b")).toThrow(expect.objectContaining({ code: "invalid-name" }));
  expect(() => new Names("*")).toThrow(expect.objectContaining({ code: "invalid-name" }));
});
