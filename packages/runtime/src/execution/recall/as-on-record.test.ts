import { type Broker, type Envelope, type HistoryRecord, UNSETTLED } from "@millrace/core";
import { expect, test } from "vitest";
import { asOnRecord } from "./as-on-record.ts";

const MESSAGE = { queue: "mail", origin: "runtime", sequence: 40, storedAt: 9_000 } as const;
const UNREAD: Envelope = {
  ...UNSETTLED,
  ...{ id: "j", name: "", queue: "mail", payload: null, headers: {}, createdAt: 9_000 },
};
const RECORD = { id: "j", queue: "mail", state: "requeued", attempts: 2, at: 1 } as HistoryRecord;

const known = (generation: number, records: readonly Partial<HistoryRecord>[]) => {
  const read = () => Promise.resolve(records.map((more) => ({ ...RECORD, ...more })));
  const broker = { history: { read } } as unknown as Broker;
  const message = { ...MESSAGE, body: new Uint8Array(), headers: {} };
  return asOnRecord(broker, { ...UNREAD, generation }, message);
};

test("is the job of the generation before, by the place of its message", async () => {
  const records = [
    { generation: 0, sequence: 7, createdAt: 1_000, attempts: 1 },
    { generation: 1, sequence: 12, createdAt: 1_000, firstStoredAt: 1_100, unkeyed: 3 },
    { generation: 0, sequence: 41, createdAt: 8_500, attempts: 9 },
  ];
  expect(await known(2, records)).toMatchObject({
    ...{ createdAt: 1_000, firstStoredAt: 1_100, unkeyed: 3, attempts: 2, generation: 2 },
  });
  expect(await known(1, records)).toMatchObject({ createdAt: 1_000, attempts: 1 });
});

test("is in the next life where the record is of the end of one", async () => {
  const end = { generation: 3, sequence: 7, createdAt: 1_000, state: "dead" } as const;
  expect(await known(2_048, [end])).toMatchObject({ createdAt: 1_000, attempts: 0, life: 1 });
  const again = { generation: 2_048, sequence: 9, createdAt: 1_000, attempts: 1, life: 1 };
  expect(await known(2_049, [end, again])).toMatchObject({ attempts: 1, life: 1 });
  expect(await known(4_096, [end, again])).toMatchObject({ attempts: 0, life: 2 });
});

test("is what its message says where nothing is on record of it", async () => {
  expect(await known(1, [])).toEqual({ ...UNREAD, generation: 1 });
  const older = { generation: 0 };
  expect(await known(1, [older])).toEqual({ ...UNREAD, generation: 1, attempts: 2 });
});
