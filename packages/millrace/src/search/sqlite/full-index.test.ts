import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { PlacedRecord } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test, vi } from "vitest";
import { HeldIndex } from "./held-index.ts";
import { type News, NOTHING_READ } from "../index-calls.ts";
import { IndexFollower } from "../index-follower.ts";
import { IndexStore } from "./index-store.ts";
import { IndexThread } from "./index-thread.ts";
import { recordNews } from "../news-of.ts";

const MIB = 2 ** 20;
const WORDS = "lorem ipsum dolor ".repeat(20);

function placed(position: number, at: number): PlacedRecord {
  const record: PlacedRecord["record"] = {
    ...{ id: `j${position}`, queue: "mail", name: "send", state: "dead", outcome: "failed" },
    ...{ attempts: 1, generation: 0, node: "n", at: at + position, sequence: position },
    ...{ createdAt: 1, error: { type: "E", message: `no. ${position}; ${WORDS}` } },
  };
  return { record, position, storedAt: at + position };
}

function file(): string {
  const dir = mkdtempSync(join(tmpdir(), "millrace-index-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return join(dir, "jobs.db");
}

test("an index is about as large as it may be while it reads a long history, and its file shrinks", async () => {
  const path = file();
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  const newest = 20_000;
  let most = 0;
  broker.history.stretch = ({ after, limit = 1 }) => {
    for (const part of [path, `${path}-wal`])
      if (existsSync(part)) most = Math.max(most, statSync(part).size);
    const until = Math.min(newest, after + limit);
    const records = Array.from({ length: until - after }, (_, n) =>
      placed(after + 1 + n, clock.now()),
    );
    return Promise.resolve({ oldest: 1, newest, until, records });
  };
  const thread = await IndexThread.start(path);
  onTestFinished(() => thread.end());
  const follower = new IndexFollower({
    ...{ broker, clock, index: thread, identity: "", keepMs: 1e10, maxBytes: 4 * MIB },
    show: (value) => value,
  });
  await follower.open();
  await follower.round();
  const { jobs, bytes } = await thread.ask("size", {});
  expect(jobs).toBeGreaterThan(0);
  expect(bytes).toBeLessThanOrEqual(4 * MIB);
  // With what one stretch of the history takes.
  expect(most).toBeLessThan(16 * MIB);
  await thread.ask("close", {});
  expect(statSync(path).size).toBeLessThan(5 * MIB);
});

test("the text of a job that an index has forgotten can't be read in its file", () => {
  const path = file();
  const store = IndexStore.open(path, "");
  const news = [1, 2, 3].map((position) => recordNews(placed(position, 0), (value) => value));
  store.write(news, NOTHING_READ);
  store.prune(2, 0, 2 ** 30);
  store.close();
  const text = readFileSync(path, "latin1");
  expect([1, 2, 3].map((position) => text.includes(`no. ${position};`))).toEqual([
    ...[false, true, true],
  ]);
});

/** An index in a file on a disk that has room for so much, in pages. */
function onSmallDisk(path: string) {
  const exec = vi.spyOn(DatabaseSync.prototype, "exec");
  onTestFinished(() => exec.mockRestore());
  const index = new HeldIndex(path);
  onTestFinished(() => void index.answer({ name: "close", given: {} }));
  const open = (pages?: number) => {
    const answer = index.answer({ name: "open", given: { identity: "", maxBytes: 1e12 } });
    expect(answer).toMatchObject({ ok: true });
    if (pages === undefined) return;
    const databases = exec.mock.contexts.filter((one) => one instanceof DatabaseSync);
    databases
      .findLast((one) => one.isOpen && one.location() === path)
      ?.exec(`pragma max_page_count = ${pages}`);
  };
  let position = 0;
  const write = (count: number) => {
    const news: News[] = Array.from({ length: count }, () =>
      recordNews(placed(++position, 1), (value) => value),
    );
    const given = { news, cursors: { ...NOTHING_READ, position } };
    return index.answer({ name: "write", given });
  };
  const ask = (name: "isOpen" | "size") => index.answer({ name, given: {} });
  const search = () => index.answer({ name: "search", given: { limit: 1, now: 1 } });
  return { open, write, ask, search };
}

test("on a full disk an index lets its oldest half go, and goes on", () => {
  const { open, write, ask } = onSmallDisk(file());
  open(2_000);
  let answer = write(100);
  for (let writes = 0; answer.ok && writes < 1_000; writes += 1) answer = write(100);
  expect(answer).toMatchObject({ ok: false, message: expect.stringContaining("full") });
  const { value } = ask("size") as { readonly value: { readonly jobs: number } };
  expect(value.jobs).toBeGreaterThan(0);
  expect(ask("isOpen")).toEqual({ ok: true, value: true });
  // It is larger now than there is room for: it says so before the disk is full again.
  let isTooLarge = false;
  for (let writes = 0; !isTooLarge && writes < 1_000; writes += 1) {
    const written = write(10);
    expect(written.ok).toBe(true);
    isTooLarge = written.ok && written.value === true;
  }
  expect(isTooLarge).toBe(true);
});

test("a disk that has room again may be filled again", () => {
  const now = vi.spyOn(performance, "now");
  onTestFinished(() => now.mockRestore());
  now.mockReturnValue(1e6);
  const { open, write } = onSmallDisk(file());
  open(500);
  for (let writes = 0; write(100).ok; writes += 1) expect(writes).toBeLessThan(1_000);
  open();
  expect(Array.from({ length: 10 }, () => write(100))).toContainEqual({ ok: true, value: true });
  now.mockReturnValue(1e6 + 600_000);
  for (let writes = 0; writes < 10; writes += 1)
    expect(write(100)).toEqual({ ok: true, value: false });
});

test("a search that finds no room for its own file takes nothing from the index", () => {
  const { open, write, ask, search } = onSmallDisk(file());
  open();
  write(100);
  const full = Object.assign(new Error("database or disk is full"), { errcode: 13 });
  const found = vi.spyOn(IndexStore.prototype, "search").mockImplementation(() => {
    throw full;
  });
  onTestFinished(() => found.mockRestore());
  expect(search()).toMatchObject({ ok: false });
  expect(ask("size")).toMatchObject({ ok: true, value: { jobs: 100 } });
});

test("where there is no room for that either it is made anew", () => {
  const { open, write, ask } = onSmallDisk(file());
  open(2_000);
  const prune = vi.spyOn(IndexStore.prototype, "prune").mockImplementation(() => {
    throw new Error("database or disk is full");
  });
  onTestFinished(() => prune.mockRestore());
  for (let writes = 0; write(100).ok; writes += 1) expect(writes).toBeLessThan(1_000);
  expect(ask("isOpen")).toEqual({ ok: true, value: false });
  open();
  expect(ask("size")).toMatchObject({ ok: true, value: { jobs: 0 } });
  expect(write(100)).toMatchObject({ ok: true });
});
