import { expect, test } from "vitest";
import type { StoredDeadLetter } from "../broker/stores/dead-letter-store.ts";
import type { StoredRecord } from "../broker/stores/history-store.ts";
import type { HistoryRecord } from "./history-record.ts";
import { endOf, type JobTrail } from "./job-end.ts";
import { writeEnvelope } from "../envelope/write-envelope.ts";
import { envelope, inputOf, message, NOW } from "./settle.fixture.ts";
import { settle } from "./settle.ts";

/** A record of the job by which `endOf` is asked, stored a second after its message. */
function record(more: Partial<HistoryRecord>, storedAt = NOW - 3_000): StoredRecord {
  return {
    storedAt,
    record: {
      id: envelope.id,
      name: envelope.name,
      queue: envelope.queue,
      state: "succeeded",
      outcome: "succeeded",
      attempts: 1,
      generation: 3,
      sequence: 20,
      createdAt: envelope.createdAt,
      node: "node-b",
      at: storedAt,
      ...more,
    },
  };
}

const ask = (more: Partial<JobTrail>): string | undefined =>
  endOf({ envelope, message, records: [], successors: NONE, ...more })?.kind;

const WINDOW_MS = 120_000;
const memory = { windowMs: WINDOW_MS, since: 0 };
const NONE = { waiting: [], letter: undefined, memory };
const later = { ...envelope, generation: 1 };
const MSGPACK = { "content-type": "application/msgpack" };
const letter: StoredDeadLetter = {
  sequence: 5,
  id: envelope.id,
  queue: envelope.queue,
  reason: "fatal",
  attempts: 1,
  at: NOW,
  node: "node-b",
  body: message.body,
  headers: {},
};

test.each<[string, Partial<JobTrail>, string | undefined]>([
  ["nothing is there", {}, undefined],
  ["its own record", { records: [record({ generation: 0, sequence: 9 })] }, "settled"],
  ["an end by another of its messages", { records: [record({})] }, "ended"],
  ["a later generation on record", { records: [record({ state: "requeued" })] }, "overtaken"],
  [
    "a later generation that waits",
    { successors: { waiting: [later], letter: undefined, memory } },
    "overtaken",
  ],
  [
    "one of another enqueue",
    { successors: { waiting: [{ ...later, createdAt: NOW }], letter: undefined, memory } },
    undefined,
  ],
  ["its letter, and no record", { successors: { waiting: [], letter, memory } }, "buried"],
  [
    "an end of an earlier life",
    { envelope: { ...later, life: 1 }, records: [record({ generation: 0 })] },
    undefined,
  ],
  [
    "an end of a later life, which only its own end can have begun",
    { records: [record({ life: 1 })] },
    "ended",
  ],
  ["an end of another enqueue", { records: [record({ createdAt: NOW })] }, undefined],
  [
    "an end before it was stored: its id is used again",
    { records: [record({ sequence: 3 }, NOW - 4_001)] },
    undefined,
  ],
  [
    "an end before it was stored, of a job that was sent to wait while another had it",
    {
      envelope: { ...envelope, generation: 1, sharedSince: NOW - 4_500 },
      records: [record({ generation: 0, sequence: 3 }, NOW - 4_001)],
    },
    "ended",
  ],
])("%s", (_, trail, kind) => {
  expect(ask(trail)).toBe(kind);
});

test("of two ends the first counts", () => {
  const records = [record({ state: "succeeded" }), record({ state: "dead" }, NOW - 2_000)];
  expect(endOf({ envelope, message, records, successors: NONE })).toMatchObject({
    record: { state: "succeeded" },
  });
});

test("a job that another may have is asked about wherever it is sent to wait, until it has run, and beyond where a letter lies beside it", () => {
  const shared = inputOf({
    from: "queued",
    outcome: { kind: "blocked", gate: "cap/a/b" },
    sharedSince: NOW - 4_000,
  });
  const blocked = settle(shared).envelope;
  expect(blocked.sharedSince).toBe(NOW - 4_000);
  const deferred = settle(
    inputOf({
      from: "queued",
      envelope: blocked,
      outcome: { kind: "deferred", untilMs: NOW + 1 },
    }),
  );
  expect(deferred.envelope.sharedSince).toBe(NOW - 4_000);
  const snoozed = { envelope: blocked, outcome: { kind: "snoozed", delayMs: 1 } } as const;
  expect(settle(inputOf(snoozed)).envelope.sharedSince).toBeUndefined();
  const asked = { ...snoozed, sharedSince: NOW - 4_000 };
  expect(settle(inputOf(asked)).envelope.sharedSince).toBeUndefined();
  const beside = settle(inputOf({ ...asked, isBuriedBeside: true }));
  expect(beside.envelope.sharedSince).toBe(NOW - 4_000);
});

const FIRST = message.storedAt;
/** Each with the same time of creation, as a producer may write it each time. */
test.each<[string, Partial<JobTrail>, string | undefined]>([
  [
    "the end of a retry, which goes back to the same message",
    { records: [record({ firstStoredAt: FIRST })] },
    "ended",
  ],
  [
    "the end of a duplicate, which a killed server took within the dedupe window",
    { records: [record({ firstStoredAt: FIRST - WINDOW_MS + 1, sequence: 3 })] },
    "ended",
  ],
  [
    "the end of a job that was enqueued before the window, and ended after this one came",
    { records: [record({ firstStoredAt: FIRST - WINDOW_MS, sequence: 3 })] },
    undefined,
  ],
  [
    "the end of a job with an idempotency key of its own",
    { records: [record({ firstStoredAt: FIRST, unkeyed: 3, sequence: 3 })] },
    undefined,
  ],
  [
    "the end of a job of the queue that was there before, at a later place",
    {
      records: [record({ firstStoredAt: FIRST - 1 })],
      successors: { ...NONE, memory: { windowMs: WINDOW_MS, since: FIRST } },
    },
    undefined,
  ],
  [
    "the end of a job of the queue that was there before, at this place",
    { records: [record({ firstStoredAt: FIRST - WINDOW_MS, generation: 0, sequence: 9 })] },
    undefined,
  ],
  [
    "a retry of a job that was enqueued before the window",
    { successors: { ...NONE, waiting: [{ ...later, firstStoredAt: FIRST - WINDOW_MS }] } },
    undefined,
  ],
  [
    "a retry that goes back to the same message",
    { successors: { ...NONE, waiting: [{ ...later, firstStoredAt: FIRST }] } },
    "overtaken",
  ],
])("of two jobs of one id: %s", (_, trail, kind) => {
  expect(ask(trail)).toBe(kind);
});

const buried = { waiting: [], letter, memory };
const own = { generation: 0, sequence: 9 };

test.each<[string, Partial<JobTrail>, boolean]>([
  ["of its own end", { records: [record({ ...own, state: "dead" })] }, false],
  ["of its own end, expired", { records: [record({ ...own, state: "expired" })] }, false],
  ["beside its own success", { records: [record(own)] }, true],
  ["beside another message's success", { records: [record({})] }, true],
  ["beside another message's letter", { records: [record({ state: "dead" })] }, true],
  ["of a job that has gone on", { records: [record({ ...own, state: "requeued" })] }, true],
  ["of a job that goes on", { successors: { waiting: [later], letter, memory } }, true],
])("a letter %s: is it stray?", (_, trail, isStray) => {
  const end = endOf({ envelope, message, records: [], successors: buried, ...trail });
  expect(end?.kind).toMatch(/^(settled|ended|overtaken)$/);
  expect(end).toMatchObject(isStray ? { stray: letter } : {});
  expect(end !== undefined && "stray" in end).toBe(isStray);
});

/** What stands in a message's body: its letter holds the same. */
const bodyOf = (more: object): Uint8Array => writeEnvelope({ ...envelope, ...more });

test.each<[string, Partial<StoredDeadLetter>, Partial<HistoryRecord>, boolean]>([
  ["of a message before it, beside a success", {}, {}, true],
  ["of a message before it, beside a cancellation", {}, { state: "cancelled" }, true],
  ["of a message before it, beside a death, which may be its own", {}, { state: "dead" }, false],
  ["of a message before it, that has gone on", {}, { generation: 2, state: "requeued" }, false],
  ["of another life", { body: bodyOf({ generation: 1_024, life: 1 }) }, {}, false],
  ["of another job of its id", { firstStoredAt: FIRST - WINDOW_MS }, {}, false],
  ["of another job, by an older version", { body: bodyOf({ createdAt: 1 }) }, {}, false],
  ["that nobody can read", { body: new Uint8Array([1]) }, {}, false],
])("a letter %s: is it stray?", (_, of, end, isStray) => {
  const otherLetter = { ...letter, body: bodyOf({}), headers: MSGPACK, ...of };
  const own = { ...envelope, generation: 1, firstStoredAt: FIRST };
  const records = [record({ firstStoredAt: FIRST, ...end })];
  const successors = { ...NONE, otherLetter };
  const found = endOf({ envelope: own, message, records, successors });
  expect(found).toMatchObject(isStray ? { stray: otherLetter } : { kind: expect.any(String) });
  expect("stray" in (found ?? {})).toBe(isStray);
});

test.each([
  ["of another run of its chain, however soon it came", NOW - 500, undefined],
  ["of its own, which a killed server took twice", NOW - 900, "ended"],
])("a link has the end of a link %s", (_what, unkeyed, kind) => {
  const link = { ...envelope, unkeyed: NOW - 900 };
  const records = [record({ firstStoredAt: NOW - 4_000, unkeyed, sequence: 3 })];
  expect(ask({ envelope: link, records })).toBe(kind);
});
