import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PlacedRecord } from "@millrace/core";
import { createMask } from "@millrace/telemetry/masking";
import { MemoryBroker, MemoryServer } from "@millrace/testkit";
import { systemClock } from "@millrace/core";
import { expect, onTestFinished, test } from "vitest";
import { type JobIndex, openJobIndex } from "./job-index.ts";

/** A history in which every job has died. */
function scene() {
  const dir = mkdtempSync(join(tmpdir(), "millrace-index-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const broker = new MemoryBroker({ clock: systemClock, server: new MemoryServer(systemClock) });
  const history = { newest: 0 };
  broker.history.stretch = ({ after }) => {
    const { newest } = history;
    const records = Array.from({ length: Math.max(0, newest - after) }, (_, n) =>
      died(after + 1 + n),
    );
    return Promise.resolve({ oldest: 1, newest, until: newest, records });
  };
  const open = async (namespace = "") => {
    const index = await openJobIndex({
      ...{ broker, mask: createMask(), path: join(dir, "jobs.db"), namespace },
    });
    onTestFinished(() => index.close());
    return index;
  };
  return { history, open };
}

function died(position: number): PlacedRecord {
  const record: PlacedRecord["record"] = {
    ...{ id: `j${position}`, queue: "mail", name: "send", state: "dead", outcome: "failed" },
    ...{ attempts: 1, generation: 0, node: "n", at: Date.now(), sequence: position },
    ...{ createdAt: 1, error: { type: "E", message: "no" } },
  };
  return { record, position, storedAt: position };
}

async function counted(index: JobIndex): Promise<readonly number[]> {
  await index.caughtUp();
  const groups = await index.failures();
  const { jobs } = await index.search({ limit: 100 });
  return [groups.reduce((sum, { failures }) => sum + failures, 0), jobs.length];
}

test("of two that index one file one keeps it, the other answers from it, and keeps it after", async () => {
  const { history, open } = scene();
  history.newest = 5;
  const keeper = await open();
  const reader = await open();
  expect(await counted(reader)).toEqual([5, 5]);
  history.newest = 9;
  expect(await Promise.all([counted(keeper), counted(reader)])).toEqual([
    [9, 9],
    [9, 9],
  ]);
  expect(await reader.status()).toMatchObject({ state: "following", position: 9, behind: 0 });
  await keeper.close();
  history.newest = 12;
  expect(await counted(reader)).toEqual([12, 12]);
});

test("an index of another fleet is not read, nor made anew while its keeper is there", async () => {
  const { history, open } = scene();
  history.newest = 5;
  const keeper = await open("one");
  await expect(open("two")).rejects.toMatchObject({
    code: "index-failed",
    message: expect.stringContaining("another process keeps it"),
  });
  expect(await counted(keeper)).toEqual([5, 5]);
  await keeper.close();
  expect(await counted(await open("two"))).toEqual([5, 5]);
});
