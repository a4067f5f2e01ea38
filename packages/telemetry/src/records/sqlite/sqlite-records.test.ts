import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { record } from "../record.fixture.ts";
import { storeSuite } from "../store-suite.fixture.ts";
import { sqliteRecords } from "./sqlite-records.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-sqlite-"));
});
afterEach(() => rm(dir, { recursive: true }));

storeSuite(() => ({
  open: (keepMs) =>
    sqliteRecords({
      path: join(dir, "a", "records.db"),
      ...(keepMs === undefined ? {} : { keepMs }),
    }),
  prunesByRecord: true,
}));

test("who only asks makes no file, and is told that there is none", async () => {
  const store = sqliteRecords({ path: join(dir, "none.db") });
  await expect(store.query?.({ limit: 1 })).rejects.toMatchObject({
    code: "record-store-failed",
    message: expect.stringContaining("none.db") as string,
  });
  await store.close();
  expect(existsSync(join(dir, "none.db"))).toBe(false);
});

test("a file that is no database is refused with its name, and used once it has gone", async () => {
  const path = join(dir, "notes.txt");
  await writeFile(path, "these are notes, and far too long ".repeat(100));
  const store = sqliteRecords({ path });
  await expect(store.write([record()])).rejects.toMatchObject({
    code: "record-store-failed",
    message: expect.stringContaining("not a database") as string,
  });
  await rm(path);
  await store.write([record({ id: "x" })]);
  expect(await store.query?.({ limit: 5 })).toMatchObject([{ id: "x" }]);
  await store.close();
});

test("a write that fails in its middle leaves nothing of it", async () => {
  const store = sqliteRecords({ path: join(dir, "records.db") });
  await expect(
    store.write([
      record({ id: "good" }),
      record({ id: "bad", at: "no time" as unknown as number }),
    ]),
  ).rejects.toMatchObject({ code: "record-store-failed" });
  expect(await store.query?.({ limit: 5 })).toEqual([]);
  await store.write([record({ id: "good" })]);
  expect(await store.query?.({ limit: 5 })).toMatchObject([{ id: "good" }]);
  await store.close();
});

test("its files are not for every user", async () => {
  const path = join(dir, "records.db");
  const store = sqliteRecords({ path });
  await store.write([record()]);
  const names = (await readdir(dir)).toSorted();
  expect(names).toEqual(["records.db", "records.db-shm", "records.db-wal"]);
  for (const name of names) expect((await stat(join(dir, name))).mode & 0o007, name).toBe(0);
  await store.close();
});

const LOCKS = "/proc/locks";

/** What this process has locked of a file, as Linux tells it. */
async function locksOf(path: string): Promise<readonly string[]> {
  const { ino } = await stat(path);
  const lines = (await readFile(LOCKS, "utf8"))
    .split("\n")
    .map((line) => line.split(/\s+/).slice(1));
  return lines
    .filter(([, , , pid, file]) => pid === String(process.pid) && file?.endsWith(`:${ino}`))
    .map((fields) => fields.join(" "));
}

// Without them, the next process that closes the file takes itself for its last, and deletes what
// is in the log.
test.skipIf(!existsSync(LOCKS))(
  `who opens a file takes nobody's lock on it${existsSync(LOCKS) ? "" : ` (skipped: no ${LOCKS})`}`,
  async () => {
    const path = join(dir, "records.db");
    const first = sqliteRecords({ path });
    await first.write([record({ id: "first" })]);
    const before = await locksOf(path);
    expect(before).not.toEqual([]);
    const second = sqliteRecords({ path });
    await second.write([record({ id: "second" })]);
    expect(await locksOf(path)).toEqual(before);
    await Promise.all([first.close(), second.close()]);
  },
);

test("a path that SQLite reads as a URL makes the file that it names, and nothing else", async () => {
  const store = sqliteRecords({ path: `file:${join(dir, "url.db")}?cache=private` });
  await store.write([record({ id: "x" })]);
  expect(await store.query?.({ limit: 5 })).toMatchObject([{ id: "x" }]);
  await store.close();
  expect(await readdir(dir)).toEqual(["url.db"]);
  expect(existsSync("file:")).toBe(false);
});
