import type { DeadLetter, HistoryRecord, WaitingJob } from "@millrace/core";
import { MillraceError, silentLogger, UNSETTLED } from "@millrace/core";
import { expect, test } from "vitest";
import type { DoneQuery, DoneRecord, OutboxStore } from "../store/outbox-store.ts";
import { doneSweep, type DoneSweepOptions } from "./done-sweep.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const KEEP_MS = 30 * DAY_MS;

/** By the server's clock. */
const NOW = 1_000 * DAY_MS;

const done = (id: string, ageMs = 2 * HOUR_MS, goneForMs?: number): DoneRecord => ({
  ...{ queue: "orders", id, enqueuedAt: 7, ageMs, place: id },
  ...(goneForMs === undefined ? {} : { goneForMs }),
});

interface Known {
  readonly states?: readonly HistoryRecord["state"][];
  /** For how long the records have been there. Default: 90 days. */
  readonly forMs?: number;
  /** Of the records. Default: that of the job. */
  readonly createdAt?: number;
  readonly letter?: boolean;
  readonly waits?: boolean;
}

function brokerOf(known: (id: string) => Known): DoneSweepOptions["broker"] {
  const read = async ({ id }: { id: string }) => {
    const { states = [], createdAt = 7, forMs = 90 * DAY_MS } = known(id);
    return states.map((state) => ({ id, state, createdAt, at: NOW - forMs }) as HistoryRecord);
  };
  const stored = async ({ id }: { id: string }) =>
    (await read({ id })).map((one) => ({ record: one, storedAt: one.at }));
  const list = async ({ id = "" } = {}) =>
    known(id).letter === true ? [{} as DeadLetter & { sequence: number }] : [];
  const envelope = { ...UNSETTLED, name: "n", queue: "orders", payload: null, headers: {} };
  const waiting = (id: string): WaitingJob => ({
    ...{ state: "queued", storedAt: 1, envelope: { ...envelope, id, createdAt: 7 } },
  });
  return {
    history: { read, stored } as unknown as DoneSweepOptions["broker"]["history"],
    deadLetters: { list } as unknown as DoneSweepOptions["broker"]["deadLetters"],
    serverNow: async () => NOW,
    findWaiting: async (id) => (known(id).waits === true ? waiting(id) : undefined),
  };
}

/** What is left after one sweep, what is noted of it, and how many pages it took. */
async function swept(
  records: readonly DoneRecord[],
  broker: DoneSweepOptions["broker"],
): Promise<{
  left: readonly string[];
  noted: readonly [id: string, isGone: boolean][];
  queries: readonly DoneQuery[];
}> {
  let left = records;
  const noted: [string, boolean][] = [];
  const queries: DoneQuery[] = [];
  const store: Pick<OutboxStore, "done" | "noteGone" | "forgetDone"> = {
    async done(query) {
      queries.push(query);
      const from = query.after === undefined ? 0 : records.indexOf(query.after) + 1;
      return records.slice(from, from + query.limit);
    },
    async noteGone(some, isGone) {
      noted.push(...some.map(({ id }): [string, boolean] => [id, isGone]));
    },
    async forgetDone(over) {
      left = left.filter((one) => !over.includes(one));
    },
  };
  const sweep = doneSweep({
    ...{ broker, store: store as OutboxStore, logger: silentLogger, keepDoneMs: KEEP_MS },
  });
  for (let looks = 0; looks < 10; looks += 1) await sweep.next(1, new AbortController().signal);
  return { left: left.map(({ id }) => id), noted, queries };
}

test.each<[string, Known, number, "kept" | "forgotten"]>([
  ["has succeeded", { states: ["requeued", "succeeded"] }, 2 * HOUR_MS, "forgotten"],
  ["succeeded a minute ago", { states: ["succeeded"], forMs: 60_000 }, 2 * HOUR_MS, "kept"],
  ["succeeded an hour ago", { states: ["succeeded"], forMs: HOUR_MS }, 2 * HOUR_MS, "forgotten"],
  ["was cancelled, and is enqueued anew", { states: ["cancelled"], waits: true }, DAY_MS, "kept"],
  ["has expired, and can be retried", { states: ["expired"], letter: true }, 90 * DAY_MS, "kept"],
  ["has expired, and was retried", { states: ["expired"], waits: true }, 90 * DAY_MS, "kept"],
  ["is to be tried again", { states: ["requeued"], waits: true }, 90 * DAY_MS, "kept"],
  ["is dead, and can be retried", { states: ["dead"], letter: true }, 90 * DAY_MS, "kept"],
  ["is dead, and its letter was retried", { states: ["dead"], waits: true }, 90 * DAY_MS, "kept"],
  ["runs for the first time", { waits: true }, 90 * DAY_MS, "kept"],
  ["is known no more, for less than 30 days", {}, KEEP_MS - 1, "kept"],
  ["only had its id, and has ended", { states: ["succeeded"], createdAt: 3 }, DAY_MS, "kept"],
])("the record of a job that %s", async (_, known, ageMs, expected) => {
  const { left } = await swept(
    [done("a", ageMs)],
    brokerOf(() => known),
  );
  expect(left).toEqual(expected === "kept" ? ["a"] : []);
});

const NOTED: Known = { states: ["dead"] };

test.each<[string, Known, ageMs: number, goneForMs: number | undefined, expected: string]>([
  ["is dead, and its letter is gone", NOTED, 90 * DAY_MS, undefined, "noted"],
  ["has expired, and its letter is gone", { states: ["expired"] }, DAY_MS, undefined, "noted"],
  ["was cancelled", { states: ["cancelled"] }, DAY_MS, undefined, "noted"],
  ["is known no more, for 30 days", {}, KEEP_MS, undefined, "noted"],
  ["is gone for less than an undo takes", NOTED, 90 * DAY_MS, 7 * DAY_MS, "kept"],
  ["is gone for longer", NOTED, 90 * DAY_MS, 7 * DAY_MS + HOUR_MS, "forgotten"],
  ["is known no more for longer", {}, 90 * DAY_MS, 7 * DAY_MS + HOUR_MS, "forgotten"],
  ["was gone, and its letter was put back", { ...NOTED, letter: true }, DAY_MS, HOUR_MS, "back"],
  ["was gone, and waits", { ...NOTED, waits: true }, 90 * DAY_MS, 8 * DAY_MS, "back"],
  ["was gone, and is tried again", { states: ["requeued"] }, DAY_MS, HOUR_MS, "back"],
  ["was gone, and died anew since", { ...NOTED, forMs: 2 * DAY_MS }, DAY_MS, 8 * DAY_MS, "back"],
  ["was gone, and has succeeded since", { states: ["succeeded"] }, DAY_MS, HOUR_MS, "forgotten"],
])("the record of a job that %s", async (_, known, ageMs, goneForMs, expected) => {
  const { left, noted } = await swept(
    [done("a", ageMs, goneForMs)],
    brokerOf(() => known),
  );
  expect(left).toEqual(expected === "forgotten" ? [] : ["a"]);
  expect(new Map(noted)).toEqual(
    new Map({ noted: [["a", true] as const], back: [["a", false] as const] }[expected] ?? []),
  );
});

const record = (of: Partial<HistoryRecord>): HistoryRecord => ({ id: "a", ...of }) as HistoryRecord;
/** What an undo has enqueued in its place, which has its effects. */
const ANEW = { createdAt: 90, unkeyed: 90 };
/** Another job of the id. */
const OTHER = { createdAt: 90, unkeyed: 4 };

test.each<[string, readonly Partial<HistoryRecord>[], number | undefined, string]>([
  ["died since", [{ ...ANEW, state: "dead", at: NOW - DAY_MS }], 8 * DAY_MS, "back"],
  ["is tried again", [{ ...ANEW, state: "requeued", at: NOW - 9 * DAY_MS }], 8 * DAY_MS, "back"],
  ["died long ago", [{ ...ANEW, state: "dead", at: NOW - 9 * DAY_MS }], 8 * DAY_MS, "forgotten"],
  ["has succeeded", [{ ...ANEW, state: "succeeded", at: NOW - DAY_MS }], undefined, "noted"],
  ["is another one", [{ ...OTHER, state: "dead", at: NOW - DAY_MS }], 8 * DAY_MS, "forgotten"],
])(
  "the record of a job that was cancelled, where what is in its place %s",
  async (_, later, goneForMs, expected) => {
    const first = record({ createdAt: 7, state: "cancelled", at: NOW - 10 * DAY_MS });
    const broker = brokerOf(() => ({}));
    const read = async () => [first, ...later.map(record)];
    const { left, noted } = await swept([done("a", DAY_MS, goneForMs)], {
      ...broker,
      history: { read } as unknown as typeof broker.history,
    });
    expect(left).toEqual(expected === "forgotten" ? [] : ["a"]);
    expect(noted).toEqual({ noted: [["a", true]], back: [["a", false]] }[expected] ?? []);
  },
);

test("when a job succeeded goes by the server's clock, not by its node's", async () => {
  const own = record({ createdAt: 7, state: "succeeded", at: NOW - 9 * HOUR_MS });
  const broker = brokerOf(() => ({}));
  const history = {
    read: async () => [own],
    // Stored again by the one who came second.
    stored: async () => [2 * HOUR_MS, 60_000].map((ago) => ({ record: own, storedAt: NOW - ago })),
  } as unknown as typeof broker.history;
  expect((await swept([done("a")], { ...broker, history })).left).toEqual(["a"]);
});

test("the record of a job stays, in whose place another has ended while it was looked for", async () => {
  let looked = false;
  const first = record({ createdAt: 7, state: "cancelled", at: NOW - 10 * DAY_MS });
  const anew = record({ ...ANEW, state: "dead", at: NOW - 9 * DAY_MS });
  const broker = brokerOf(() => ({}));
  const read = async () => (looked ? [first, anew] : [first]);
  const { left } = await swept([done("a", DAY_MS, 8 * DAY_MS)], {
    ...broker,
    history: { read } as unknown as typeof broker.history,
    async findWaiting() {
      looked = true;
      return undefined;
    },
  });
  expect(left).toEqual(["a"]);
});

test("records that stay do not keep the others from being looked at", async () => {
  const records = Array.from({ length: 120 }, (_, n) => done(`j${n}`));
  const isOver = (id: string): boolean => Number(id.slice(1)) > 60;
  const broker = brokerOf((id) => (isOver(id) ? { states: ["succeeded"] } : { waits: true }));
  const { left, queries } = await swept(records, broker);
  expect(left).toHaveLength(61);
  expect(queries.map(({ after }) => after?.id)).toEqual([undefined, "j49", "j99"]);
});

test("the record of a job that was on its way while it was looked for stays", async () => {
  let looked = false;
  const broker = brokerOf(() => ({ states: looked ? ["dead", "requeued"] : ["dead"] }));
  const moving: typeof broker = {
    ...broker,
    async findWaiting() {
      looked = true;
      return undefined;
    },
  };
  expect((await swept([done("a")], moving)).left).toEqual(["a"]);
});

test("a server that does not tell keeps every record, and the relay going", async () => {
  const broker = brokerOf(() => {
    throw new MillraceError("permission-denied", "The history may not be read.");
  });
  expect((await swept([done("a")], broker)).left).toEqual(["a"]);
});
