import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { IndexStore } from "./index-store.ts";
import { IndexThread } from "./index-thread.ts";

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "millrace-index-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

function database(path: string, sql: string): void {
  const made = new DatabaseSync(path);
  made.exec(sql);
  made.close();
}

const SHOP = `
  create table job (id integer primary key, what text);
  create table word (w text);
  create table meta (name text, value text);
  insert into meta values ('version', '1');
  insert into job (what) values ('precious')`;

const EARLIER = `
  pragma journal_mode = wal; create table meta (name text primary key, value text);
  create table job (key integer primary key); create table word (words text);
  insert into meta values ('version', '9'), ('identity', '')`;

test.each([
  ["another program's database", (path: string) => database(path, SHOP)],
  [
    "another program's with an id",
    (path: string) => database(path, `pragma application_id = 7; ${SHOP}`),
  ],
  [
    "another program's in WAL mode",
    (path: string) => database(path, `pragma journal_mode = wal; ${SHOP}`),
  ],
  ["an index of an earlier version", (path: string) => database(path, EARLIER)],
  ["less than a header", (path: string) => writeFileSync(path, "SQLite format 3\0")],
  ["a text", (path: string) => writeFileSync(path, "precious ".repeat(1_000))],
  [
    "another program's damaged database",
    (path: string) => {
      database(path, SHOP);
      writeFileSync(path, readFileSync(path).fill(0xff, 100, 200));
    },
  ],
])("a file that has %s in it is refused, and left as it is", async (_, make) => {
  const dir = folder();
  const path = join(dir, "app.db");
  make(path);
  chmodSync(path, 0o644);
  const before = readFileSync(path);
  const thread = await IndexThread.start(path);
  onTestFinished(() => thread.end());
  await expect(thread.ask("open", { identity: "", maxBytes: 2 ** 30 })).rejects.toMatchObject({
    code: "index-failed",
    message: expect.stringContaining("has something else in it"),
  });
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o644);
  expect(readdirSync(dir)).toEqual(["app.db"]);
});

test("an index is its owner's only, from an empty file, too", () => {
  const dir = folder();
  const path = join(dir, "jobs.db");
  writeFileSync(path, "");
  const store = IndexStore.open(path, "");
  for (const file of readdirSync(dir)) expect(statSync(join(dir, file)).mode & 0o777).toBe(0o600);
  store.close();
});
