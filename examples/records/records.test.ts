import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTestRuntime } from "millrace/testing";
import { type ExecutionRecord, ndjsonRecords } from "millrace/telemetry";
import { expect, test } from "vitest";
import { audit, charge } from "./audit.ts";

test("one record per attempt, without the card's number, and word of what is dead", async () => {
  const dir = await mkdtemp(join(tmpdir(), "millrace-audit-"));
  const told: ExecutionRecord[] = [];
  const log = audit(dir, (record) => told.push(record));
  await using t = await createTestRuntime({
    jobs: [charge.handler(() => Promise.reject(new Error("card declined")))],
    executionLog: log,
  });
  await t.enqueue(charge, { order: "o-1", cardNumber: "4111111111111111" }, { id: "o-1" });
  await t.drain();
  await log.close();

  const records = await ndjsonRecords({ dir }).query?.({ id: "o-1", limit: 10 });
  await rm(dir, { recursive: true });
  expect(
    records?.map(({ attempt, state, retryDelayMs }) => [attempt, state, retryDelayMs]),
  ).toEqual([
    [3, "dead", undefined],
    [2, "requeued", 2_000],
    [1, "requeued", 1_000],
  ]);
  expect(records?.[0]).toMatchObject({
    name: "billing.charge",
    outcome: "failed",
    error: { message: "card declined" },
    payload: { order: "o-1", cardNumber: "***" },
  });
  expect(told).toEqual([records?.[0]]);
});
