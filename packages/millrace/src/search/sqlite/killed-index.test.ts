import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { HeldIndex } from "./held-index.ts";
import { type IndexCallName, type News, NOTHING_READ } from "../index-calls.ts";
import { IndexStore } from "./index-store.ts";
import { IndexLock } from "./index-lock.ts";

const JOBS = 4_000;

function file(): string {
  const dir = mkdtempSync(join(tmpdir(), "millrace-index-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return join(dir, "jobs.db");
}

function news(count: number): readonly News[] {
  return Array.from({ length: count }, (_, n) => ({
    ...{ kind: "arrival", id: `j${n}`, queue: "mail", createdAt: 1, life: 0, position: n + 1 },
    job: {
      ...{ id: `j${n}`, queue: "mail", name: "send", state: "queued", attempts: 0, at: 1 },
      payload: { text: `${n} ${"lorem ipsum ".repeat(50)}` },
    },
  }));
}

/** A process of an index in that file: it ends itself, or the test does. */
function run(path: string, code: string): string {
  const program = `
    import { DatabaseSync } from "node:sqlite";
    import { HeldIndex } from "./held-index.ts";
    const index = new HeldIndex(${JSON.stringify(path)});
    const ask = (name, given = {}) => {
      const answer = index.answer({ name, given });
      if (!answer.ok) throw new Error(answer.message);
    };
    const kill = () => process.kill(process.pid, "SIGKILL");
    const news = ${JSON.stringify(news(JOBS))};
    const cursors = ${JSON.stringify({ ...NOTHING_READ, position: JOBS })};
    ask("open", { identity: "one", maxBytes: 1e9 });
    ${code}
    ask("close");`;
  const { signal, status, stderr } = spawnSync(process.execPath, ["--input-type=module"], {
    ...{ cwd: import.meta.dirname, encoding: "utf8", input: program },
  });
  expect([signal, status, stderr].join(" ")).toMatch(/^(SIGKILL| 0) /v);
  return signal ?? "ended";
}

function opened(path: string, identity = "one") {
  const index = new HeldIndex(path);
  onTestFinished(() => void index.answer({ name: "close", given: {} }));
  const ask = (name: IndexCallName, given: object = {}): unknown => {
    const answer = index.answer({ name, given });
    return answer.ok ? answer.value : answer.message;
  };
  return { ask, found: ask("open", { identity, maxBytes: 1e9 }) };
}

test("an index whose process was killed in a checkpoint is opened, with all that is in its log", () => {
  const path = file();
  // So large a log is written to the file at once. It is as if only the first pages were there.
  expect(run(path, `ask("write", { news, cursors }); kill();`)).toBe("SIGKILL");
  expect(statSync(path).size).toBeGreaterThan(1_000 * 4_096);
  truncateSync(path, 20 * 4_096);
  const { ask, found } = opened(path);
  expect(found).toMatchObject({ cursors: { position: JOBS }, isKept: true });
  expect(ask("size")).toMatchObject({ jobs: JOBS });
});

test.each([80, 20 * 4_096])("an index that was cut off after %i bytes is made anew", (bytes) => {
  const path = file();
  expect(run(path, `ask("write", { news, cursors });`)).toBe("ended");
  truncateSync(path, bytes);
  const { ask, found } = opened(path);
  expect(found).toMatchObject({ cursors: { position: 0 }, isKept: true });
  expect(ask("write", { news: news(10), cursors: NOTHING_READ })).toBe(false);
  expect(ask("size")).toMatchObject({ jobs: 10 });
});

test("an index whose process was killed while it was made anew has all its tables, or is made anew", () => {
  let ended = "SIGKILL";
  let kills = 0;
  for (; ended === "SIGKILL"; kills += 1) {
    const path = file();
    expect(kills).toBeLessThan(50);
    ended = run(
      path,
      `ask("write", { news: news.slice(0, 10), cursors });
       const exec = DatabaseSync.prototype.exec;
       let left = ${kills};
       DatabaseSync.prototype.exec = function (sql) {
         if (left-- === 0) kill();
         exec.call(this, sql);
       };
       ask("clear");
       DatabaseSync.prototype.exec = exec;`,
    );
    const { ask } = opened(path);
    const { jobs } = ask("size") as { readonly jobs: number };
    expect([0, 10]).toContain(jobs);
    expect(ask("write", { news: news(20), cursors: NOTHING_READ })).toBe(false);
    expect(ask("known")).toMatchObject({ queue: ["mail"] });
    expect(ask("failures", { limit: 10, now: 1 })).toEqual([]);
    ask("close");
  }
  expect(kills).toBeGreaterThan(2);
});

test("an index of something else that its keeper is about to make anew is waited for", () => {
  const path = file();
  IndexStore.open(path, "one").close();
  const lock = IndexLock.take(path);
  onTestFinished(() => lock?.release());
  let kept: IndexStore | undefined;
  const wait = vi.spyOn(Atomics, "wait").mockImplementation(() => {
    kept ??= IndexStore.open(path, "two");
    return "timed-out";
  });
  onTestFinished(() => {
    wait.mockRestore();
    kept?.close();
  });
  expect(opened(path, "two").found).toMatchObject({ isKept: false });
  expect(wait).toHaveBeenCalledTimes(1);
});
