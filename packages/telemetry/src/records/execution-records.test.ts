import { type Logger, MillraceError, type MetricsCollector, noMetrics } from "@millrace/core";
import { SimulatedClock } from "@millrace/testkit";
import { afterEach, expect, test, vi } from "vitest";
import type { ExecutionRecord } from "./execution-record.ts";
import { executionRecords, type ExecutionRecords } from "./execution-records.ts";
import { envelope, settled } from "./record.fixture.ts";
import type { RecordHandler } from "./record-handler.ts";

/** Of what comes in a moment, on a machine that may be busy. */
const PATIENT = { timeout: 20_000 };

let open: ExecutionRecords | undefined;
afterEach(() => open?.close());

function pipeline(
  handlers: readonly RecordHandler[],
  options: { maxRecords?: number; maxChars?: number } = {},
) {
  const clock = new SimulatedClock();
  const lines: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  const say =
    (level: string) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields: { ...fields }, message });
    };
  const log: Logger = {
    debug: say("debug"),
    info: say("info"),
    warn: say("warn"),
    error: say("error"),
    child: () => log,
  };
  const counted: [string, Record<string, string>, number][] = [];
  const metrics: MetricsCollector = {
    ...noMetrics,
    increment: (name, labels, by = 1) => void counted.push([name, { ...labels }, by]),
  };
  const records = executionRecords({ handlers, clock, log, metrics, ...options });
  open = records;
  return { records, clock, lines, counted };
}

/** Keeps what it is given; `write` may be replaced. */
function memory(write?: (records: readonly ExecutionRecord[]) => Promise<void>) {
  const kept: string[] = [];
  const keep = (records: readonly ExecutionRecord[]): void => {
    kept.push(...records.map(({ id }) => id));
  };
  const handler = {
    name: "memory",
    write: vi.fn(async (records: readonly ExecutionRecord[]) => {
      await write?.(records);
      keep(records);
    }),
    prune: vi.fn(async (_now: number) => {}),
    close: vi.fn(async () => {}),
  } satisfies RecordHandler;
  return { handler, kept };
}

function recordMany(records: ExecutionRecords, ids: readonly string[]): void {
  for (const id of ids) records.record(settled({ id }), envelope({ id }));
}

const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `j${i}`);

test("every record reaches every handler, in order, in batches; a stop writes what is left", async () => {
  const [a, b] = [memory(), memory()];
  const { records } = pipeline([a.handler, b.handler]);
  recordMany(records, many(1_200));
  expect(a.handler.write).not.toHaveBeenCalled();
  await records.close();
  expect(a.kept).toEqual(many(1_200));
  expect(b.kept).toEqual(a.kept);
  expect(a.handler.write.mock.calls.map(([batch]) => batch.length)).toEqual([500, 500, 200]);
  expect(a.handler.close).toHaveBeenCalledOnce();
  expect(records.dropped).toEqual({ memory: 0 });
});

test("a handler that hangs costs the others nothing; what finds no room is dropped, counted and said once in a while", async () => {
  const stuck = memory(() => new Promise(() => {}));
  const fine = memory();
  const { records, clock, lines, counted } = pipeline(
    [
      { ...stuck.handler, name: "stuck" },
      { ...fine.handler, name: "fine" },
    ],
    { maxRecords: 10 },
  );
  for (const id of many(25)) {
    recordMany(records, [id]);
    await vi.waitFor(() => expect(fine.kept).toContain(id), PATIENT);
  }
  expect(records.dropped).toEqual({ stuck: 15, fine: 0 });
  expect(
    counted.every(
      ([name, { handler }]) =>
        name === "millrace_execution_records_dropped_total" && handler === "stuck",
    ),
  ).toBe(true);
  expect(counted.reduce((sum, [, , by]) => sum + by, 0)).toBe(15);
  const told = () => lines.filter(({ level }) => level === "error");
  expect(told()).toMatchObject([{ fields: { handler: "stuck", dropped: 1, droppedInAll: 1 } }]);
  await clock.advance("30s");
  recordMany(records, ["late"]);
  expect(told()[1]).toMatchObject({ fields: { dropped: 15, droppedInAll: 16 } });

  const closed = records.close();
  await clock.advance("5s");
  await closed;
  expect(records.dropped["stuck"]).toBe(26);
  expect(told().at(-1)).toMatchObject({
    fields: { dropped: 10 },
    message: expect.stringContaining("the node stopped") as string,
  });
});

test("what handlers of one name drop is counted together", () => {
  const { handler } = memory();
  const { records } = pipeline([handler, memory().handler], { maxRecords: 1 });
  recordMany(records, ["a", "b", "c"]);
  expect(records.dropped).toEqual({ memory: 4 });
});

test("what is held is bounded by its size too", () => {
  const { handler } = memory();
  const { records } = pipeline([handler], { maxChars: 1_000 });
  recordMany(records, many(20));
  expect(records.dropped["memory"]).toBeGreaterThan(10);
  expect(records.dropped["memory"]).toBeLessThan(20);
});

test("a handler that fails is given the same records again, at longer and longer intervals, until it takes them", async () => {
  let down = true;
  const { handler, kept } = memory(async () => {
    if (down) throw new Error("no connection");
  });
  const { records, clock, lines } = pipeline([handler]);
  recordMany(records, ["a", "b"]);
  await vi.waitFor(() => expect(handler.write).toHaveBeenCalledTimes(1), PATIENT);
  for (const [calls, after] of [
    [2, "250ms"],
    [3, "500ms"],
    [4, "1s"],
  ] as const) {
    await vi.waitFor(() => expect(clock.pending).toBe(1), PATIENT);
    await clock.advance(after);
    await vi.waitFor(() => expect(handler.write).toHaveBeenCalledTimes(calls), PATIENT);
  }
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatchObject({
    level: "warn",
    fields: { error: { message: "no connection" } },
  });
  down = false;
  await vi.waitFor(() => expect(clock.pending).toBe(1), PATIENT);
  await clock.advance("2s");
  await vi.waitFor(() => expect(kept).toEqual(["a", "b"]), PATIENT);
  expect(records.dropped).toEqual({ memory: 0 });
});

test("a record that is refused goes by itself, not with the batch it is in", async () => {
  const { handler, kept } = memory(async (batch) => {
    if (batch.some(({ id }) => id === "j1"))
      throw new MillraceError("record-refused", "nothing for me");
  });
  const { records, counted } = pipeline([handler]);
  recordMany(records, many(4));
  await records.close();
  expect(kept).toEqual(["j0", "j2", "j3"]);
  expect(records.dropped).toEqual({ memory: 1 });
  expect(counted).toEqual([["millrace_execution_records_dropped_total", { handler: "memory" }, 1]]);
});

test("what is too old is deleted at the start and then every hour, and a failure of that keeps nothing from being written", async () => {
  const { handler, kept } = memory();
  handler.prune.mockRejectedValueOnce(new Error("locked"));
  const { records, clock, lines } = pipeline([handler]);
  await vi.waitFor(() => expect(handler.prune).toHaveBeenCalledTimes(1), PATIENT);
  recordMany(records, ["a"]);
  await vi.waitFor(() => expect(kept).toEqual(["a"]), PATIENT);
  expect(handler.prune).toHaveBeenCalledTimes(1);
  expect(lines).toMatchObject([{ message: "old execution records could not be deleted" }]);
  await clock.advance("1h");
  recordMany(records, ["b"]);
  await vi.waitFor(() => expect(kept).toEqual(["a", "b"]), PATIENT);
  expect(handler.prune).toHaveBeenCalledTimes(2);
});

test("what is too old is deleted every hour also while records never stop coming", async () => {
  const { handler } = memory();
  const { records, clock } = pipeline([handler]);
  handler.write.mockImplementation(async () => {
    if (handler.prune.mock.calls.length >= 3) return;
    recordMany(records, ["again"]);
    await clock.advance("1h");
  });
  recordMany(records, ["first"]);
  await vi.waitFor(() => expect(handler.prune).toHaveBeenCalledTimes(3), PATIENT);
  expect(handler.write.mock.calls.length).toBeLessThan(5);
});

test("what is too old is deleted also while nothing can be written: it may be what fills the disk", async () => {
  let full = true;
  const { handler, kept } = memory(async () => {
    if (full) throw new Error("no space left");
  });
  handler.prune.mockResolvedValueOnce().mockImplementationOnce(async () => {
    full = false;
  });
  const { records, clock } = pipeline([handler]);
  recordMany(records, ["a"]);
  await vi.waitFor(() => expect(clock.pending).toBe(1), PATIENT);
  await clock.advance("1h");
  await vi.waitFor(() => expect(clock.pending).toBe(1), PATIENT);
  await clock.advance("30s");
  await vi.waitFor(() => expect(kept).toEqual(["a"]), PATIENT);
  expect(handler.prune).toHaveBeenCalledTimes(2);
});

test("after a stop records are dropped, and said to be", async () => {
  const { handler } = memory();
  const { records } = pipeline([handler]);
  await records.close();
  recordMany(records, ["late"]);
  expect(records.dropped).toEqual({ memory: 1 });
  expect(handler.write).not.toHaveBeenCalled();
});
