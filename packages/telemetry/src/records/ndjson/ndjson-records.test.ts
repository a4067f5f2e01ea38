import {
  appendFile,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RecordHandler } from "../record-handler.ts";
import { record } from "../record.fixture.ts";
import { storeSuite } from "../store-suite.fixture.ts";
import { ndjsonRecords, type NdjsonOptions } from "./ndjson-records.ts";

let dir: string;
let opened: RecordHandler[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-records-"));
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((handler) => handler.close()));
  await rm(dir, { recursive: true });
});

function files(options: Partial<NdjsonOptions> = {}): RecordHandler {
  const handler = ndjsonRecords({ dir, ...options });
  opened.push(handler);
  return handler;
}

storeSuite(() => ({
  open: () => ndjsonRecords({ dir: join(dir, "shared") }),
  prunesByRecord: false,
}));

const names = async (): Promise<string[]> => (await readdir(dir)).toSorted();
const idsOf = async (handler: RecordHandler, query = {}): Promise<string[]> =>
  ((await handler.query?.({ limit: 100, ...query })) ?? []).map(({ id }) => id);

test("a line of JSON for each record, in a directory that is made where it is missing", async () => {
  const deep = join(dir, "a", "b");
  const one = record({ id: "x", payload: { text: "two\nlines" } });
  await files({ dir: deep }).write([one, record({ id: "y" })]);
  const [name = ""] = await readdir(deep);
  expect(name).toMatch(/^executions-\d{4}-\d\d-\d\dT[\d-]+Z-[0-9a-f]{8}\.ndjson$/);
  const lines = (await readFile(join(deep, name), "utf8")).split("\n");
  expect(lines).toHaveLength(3);
  expect(JSON.parse(lines[0] ?? "")).toEqual(one);
});

test("a new file where one would be too large, or is too old", async () => {
  let now = 1_700_000_000_000;
  const handler = files({ maxFileBytes: 1_000, maxFileAgeMs: 60_000, now: () => now });
  for (let i = 0; i < 10; i += 1) {
    now += 1;
    await handler.write([record({ id: `j${i}`, at: i })]);
  }
  const before = await names();
  expect(before.length).toBeGreaterThan(2);
  for (const name of before)
    expect((await readFile(join(dir, name))).length).toBeLessThanOrEqual(1_000);
  now += 60_000;
  await handler.write([record({ id: "late", at: 99 })]);
  expect(await names()).toHaveLength(before.length + 1);
  expect(await idsOf(handler)).toEqual([
    "late",
    ...Array.from({ length: 10 }, (_, i) => `j${9 - i}`),
  ]);
});

test("records of several writers of one directory, the newest first, by every filter", async () => {
  const [a, b] = [files(), files()];
  await a.write([
    record({ id: "1", at: 10, queue: "mail" }),
    record({ id: "3", at: 30, name: "img.scale", queue: "img" }),
  ]);
  await b.write([
    record({ id: "2", at: 20, outcome: "failed", state: "requeued" }),
    record({ id: "2", at: 40, attempt: 2 }),
  ]);
  expect(await idsOf(a)).toEqual(["2", "3", "2", "1"]);
  expect(await idsOf(b, { limit: 2 })).toEqual(["2", "3"]);
  expect(await idsOf(a, { id: "2" })).toEqual(["2", "2"]);
  expect(await idsOf(a, { queue: "img" })).toEqual(["3"]);
  expect(await idsOf(a, { name: "img.scale" })).toEqual(["3"]);
  expect(await idsOf(a, { outcome: "failed" })).toEqual(["2"]);
  expect(await idsOf(a, { since: 30 })).toEqual(["2", "3"]);
});

test("half lines, foreign lines and foreign files are passed over", async () => {
  const handler = files();
  await handler.write([record({ id: "good" })]);
  const [name = ""] = await names();
  await appendFile(join(dir, name), '{"id":"half","at":1\nnull\n{"x":1}\n');
  await writeFile(join(dir, "notes.txt"), JSON.stringify(record({ id: "foreign" })));
  expect(await idsOf(handler)).toEqual(["good"]);
  await expect(idsOf(files({ dir: join(dir, "missing") }))).rejects.toMatchObject({
    code: "record-store-failed",
    message: expect.stringContaining("missing") as string,
  });
});

test("files that are too old or too many are deleted; the one in use and foreign ones are not", async () => {
  const now = Date.now();
  const old = files();
  await old.write([record({ id: "old" })]);
  await old.close();
  const [first = ""] = await names();
  await utimes(join(dir, first), new Date(now - 10_000), new Date(now - 10_000));
  await writeFile(join(dir, "notes.txt"), "mine");
  await utimes(join(dir, "notes.txt"), new Date(0), new Date(0));
  const current = files({ keepMs: 5_000, keepBytes: 1 });
  await current.write([record({ id: "new" })]);
  await current.prune?.(now);
  expect(await idsOf(current)).toEqual(["new"]);
  expect(await names()).toContain("notes.txt");
});

test("files take little more than they may, without waiting to be told", async () => {
  const handler = files({ maxFileBytes: 1_000, keepBytes: 3_000 });
  for (let i = 0; i < 40; i += 1) await handler.write([record({ id: `j${i}`, at: i })]);
  const sizes = await Promise.all((await names()).map(async (name) => stat(join(dir, name))));
  expect(sizes.reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(4_000);
  expect((await idsOf(handler))[0]).toBe("j39");
});

test("a full disk has what is too old deleted at once", async () => {
  const now = Date.now();
  const old = files();
  await old.write([record({ id: "old" })]);
  await old.close();
  const [first = ""] = await names();
  const current = files({ keepMs: 5_000 });
  await current.write([record({ id: "new", at: 2_000 })]);
  await utimes(join(dir, first), new Date(now - 10_000), new Date(now - 10_000));
  const failing = await failingWrites(Object.assign(new Error("full"), { code: "ENOSPC" }));
  await expect(current.write([record({ id: "lost" })])).rejects.toThrow("full");
  failing.mockRestore();
  expect(await names()).not.toContain(first);
  await current.write([record({ id: "newer", at: 3_000 })]);
  expect(await idsOf(current)).toEqual(["newer", "new"]);
});

/** Each write of any file fails so, until it is restored. */
async function failingWrites(error: Error) {
  const handle = await open(join(dir, "any"), "w");
  const handles = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  return vi.spyOn(handles, "write").mockRejectedValue(error);
}

test("a node that has long had nothing to write keeps no file that is too old", async () => {
  const handler = files({ keepMs: 5_000 });
  await handler.write([record({ id: "old" })]);
  await handler.prune?.(Date.now() + 4_000);
  expect(await idsOf(handler)).toEqual(["old"]);
  await handler.prune?.(Date.now() + 60_000);
  expect(await names()).toEqual([]);
  await handler.write([record({ id: "new" })]);
  expect(await idsOf(handler)).toEqual(["new"]);
});

test("a node whose clock is far ahead of the disk's keeps what it has just written", async () => {
  const now = Date.now() + 60 * 86_400_000;
  const handler = files({ now: () => now });
  await handler.write([record({ id: "new" })]);
  await handler.prune?.(now);
  expect(await idsOf(handler)).toEqual(["new"]);
});

test("what is written to a file that another process has deleted is not lost", async () => {
  const [quiet, busy] = [files(), files({ keepBytes: 1 })];
  await quiet.write([record({ id: "old", at: 1 })]);
  await busy.write([record({ id: "theirs", at: 2 })]);
  await busy.prune?.(Date.now());
  await quiet.write([record({ id: "new", at: 3 })]);
  await quiet.write([record({ id: "newer", at: 4 })]);
  expect(await idsOf(busy)).toEqual(["newer", "new", "theirs"]);
});
