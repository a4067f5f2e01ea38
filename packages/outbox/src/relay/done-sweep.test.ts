import type { DeadLetter, HistoryRecord, WaitingJob } from "@millrace/core";
import { MillraceError, silentLogger, UNSETTLED } from "@millrace/core";
import { expect, test } from "vitest";
import type { DoneQuery, DoneRecord, OutboxStore } from "../store/outbox-store.ts";
import { doneSweep, type DoneSweepOptions } from "./done-sweep.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const KEEP_MS = 30 * DAY_MS;

const done = (id: string, ageMs = 2 * HOUR_MS): DoneRecord => ({
  ...{ queue: "orders", id, enqueuedAt: 7, ageMs, place: id },
});

interface Known {
  readonly states?: readonly HistoryRecord["state"][];
  /** Of the records. Default: that of the job. */
  readonly createdAt?: number;
  readonly letter?: boolean;
  readonly waits?: boolean;
}

function brokerOf(known: (id: string) => Known): DoneSweepOptions["broker"] {
  const read = async ({ id }: { id: string }) => {
    const { states = [], createdAt = 7 } = known(id);
    return states.map((state) => ({ id, state, createdAt }) as HistoryRecord);
  };
  const list = async ({ id = "" } = {}) =>
    known(id).letter === true ? [{} as DeadLetter & { sequence: number }] : [];
  const envelope = { ...UNSETTLED, name: "n", queue: "orders", payload: null, headers: {} };
  const waiting = (id: string): WaitingJob => ({
    ...{ state: "queued", storedAt: 1, envelope: { ...envelope, id, createdAt: 7 } },
  });
  return {
    history: { read } as unknown as DoneSweepOptions["broker"]["history"],
    deadLetters: { list } as unknown as DoneSweepOptions["broker"]["deadLetters"],
    findWaiting: async (id) => (known(id).waits === true ? waiting(id) : undefined),
  };
}

/** What is left after one sweep, and how many pages it took. */
async function swept(
  records: readonly DoneRecord[],
  broker: DoneSweepOptions["broker"],
): Promise<{ left: readonly string[]; queries: readonly DoneQuery[] }> {
  let left = records;
  const queries: DoneQuery[] = [];
  const store: Pick<OutboxStore, "done" | "forgetDone"> = {
    async done(query) {
      queries.push(query);
      const from = query.after === undefined ? 0 : records.indexOf(query.after) + 1;
      return records.slice(from, from + query.limit);
    },
    async forgetDone(over) {
      left = left.filter((one) => !over.includes(one));
    },
  };
  const sweep = doneSweep({
    ...{ broker, store: store as OutboxStore, logger: silentLogger, keepDoneMs: KEEP_MS },
  });
  for (let looks = 0; looks < 10; looks += 1) await sweep.next(1);
  return { left: left.map(({ id }) => id), queries };
}

test.each<[string, Known, number, "kept" | "forgotten"]>([
  ["has succeeded", { states: ["requeued", "succeeded"] }, 2 * HOUR_MS, "forgotten"],
  ["was cancelled", { states: ["cancelled"] }, 2 * HOUR_MS, "forgotten"],
  ["has expired, and can be retried", { states: ["expired"], letter: true }, 90 * DAY_MS, "kept"],
  ["has expired, and was retried", { states: ["expired"], waits: true }, 90 * DAY_MS, "kept"],
  ["has expired, and was discarded", { states: ["expired"] }, 2 * HOUR_MS, "forgotten"],
  ["is to be tried again", { states: ["requeued"], waits: true }, 90 * DAY_MS, "kept"],
  ["is dead, and can be retried", { states: ["dead"], letter: true }, 90 * DAY_MS, "kept"],
  ["is dead, and its letter was retried", { states: ["dead"], waits: true }, 90 * DAY_MS, "kept"],
  ["is dead, and its letter was thrown away", { states: ["dead"] }, 2 * HOUR_MS, "forgotten"],
  ["runs for the first time", { waits: true }, 90 * DAY_MS, "kept"],
  ["is known no more, for less than 30 days", {}, KEEP_MS - 1, "kept"],
  ["is known no more, for 30 days", {}, KEEP_MS, "forgotten"],
  ["only had its id, and has ended", { states: ["succeeded"], createdAt: 3 }, DAY_MS, "kept"],
])("the record of a job that %s", async (_, known, ageMs, expected) => {
  const { left } = await swept(
    [done("a", ageMs)],
    brokerOf(() => known),
  );
  expect(left).toEqual(expected === "kept" ? ["a"] : []);
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
