import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UNSETTLED } from "@millrace/core";
import { createMask } from "@millrace/telemetry/masking";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test, vi } from "vitest";
import { IndexThread } from "./index-thread.ts";
import { type JobIndex, openJobIndex } from "../job-index.ts";

const JOBS = 500;
const PAGE = 4_096;

/** An index of jobs that wait, and its thread. */
async function scene(path: string) {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  await broker.queues.ensure("mail");
  await broker.enqueue(
    Array.from({ length: JOBS }, (_, n) => ({
      ...{ ...UNSETTLED, id: `j${n}`, name: "send", queue: "mail", headers: {}, createdAt: 1 },
      payload: { text: "x".repeat(1_000) },
    })),
  );
  const start = vi.spyOn(IndexThread, "start");
  onTestFinished(() => start.mockRestore());
  const index = await openJobIndex({ broker, clock, path, mask: createMask() });
  onTestFinished(() => index.close());
  await index.caughtUp();
  const thread = await start.mock.results[0]?.value;
  return { index, clock, thread: thread as IndexThread };
}

/** What is wrong is found out in a look or two. */
async function recovered(index: JobIndex, clock: SimulatedClock): Promise<number> {
  const caught = index.caughtUp();
  let isCaught = false;
  void caught.then(() => (isCaught = true));
  for (let looks = 0; looks < 50 && !isCaught; looks += 1) {
    await clock.advance("5s");
    // The thread answers in its own time.
    await index.status().catch(() => {});
  }
  expect(isCaught).toBe(true);
  const { jobs, more } = await index.search({ limit: 10 * JOBS });
  expect(more).toBe(false);
  return jobs.length;
}

test.each(["", "a file"])(
  "an index whose thread has ended is read anew, kept in %j",
  async (file) => {
    const dir = mkdtempSync(join(tmpdir(), "millrace-index-"));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const { index, clock, thread } = await scene(file === "" ? "" : join(dir, "jobs.db"));
    await thread.end();
    expect(await recovered(index, clock)).toBe(JOBS);
    expect(await index.status()).toMatchObject({ state: "following" });
  },
);

test("an index whose file is damaged while it is open is made anew", async () => {
  const dir = mkdtempSync(join(tmpdir(), "millrace-index-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "jobs.db");
  const { index, clock, thread } = await scene(path);
  // All is in the file then, and nothing of it in memory.
  await thread.ask("close", {});
  expect(await recovered(index, clock)).toBe(JOBS);
  spoil(path);
  await expect(index.search({ where: "payload.text:y", limit: 1 })).rejects.toMatchObject({
    code: "index-failed",
  });
  expect(await recovered(index, clock)).toBe(JOBS);
});

test("an error that quotes a reader's filter is no damage, whatever the filter says", async () => {
  const dir = mkdtempSync(join(tmpdir(), "millrace-index-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "jobs.db");
  const { index, clock } = await scene(path);
  const { birthtimeNs } = statSync(path, { bigint: true });
  for (const where of ['message~"malformed', "age<malformed"])
    await expect(index.search({ where, limit: 1 })).rejects.toMatchObject({
      code: "invalid-filter",
    });
  expect(await recovered(index, clock)).toBe(JOBS);
  expect(statSync(path, { bigint: true }).birthtimeNs).toBe(birthtimeNs);
});

/** All but the pages by which it is opened. */
function spoil(path: string): void {
  const file = openSync(path, "r+");
  const from = 8 * PAGE;
  const { size } = statSync(path);
  writeSync(file, Buffer.alloc(size - from, 0xff), 0, size - from, from);
  closeSync(file);
}
