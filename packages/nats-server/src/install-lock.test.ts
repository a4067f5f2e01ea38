import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { withInstallLock } from "./install-lock.ts";

/** A lock of a process that lives, whose owner's file was written so long ago. */
async function held(agoMs: number, pid = process.ppid, host?: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "millrace-lock-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const lockDir = join(dir, "lock");
  await mkdir(lockDir);
  if (host !== undefined) await writeFile(join(lockDir, "host"), host);
  await writeFile(join(lockDir, "owner"), String(pid));
  const at = new Date(Date.now() - agoMs);
  await utimes(join(lockDir, "owner"), at, at);
  return lockDir;
}

/** Asks for a lock that somebody has, until it is told who; that one lets go then. */
async function waitedFor(lockDir: string): Promise<readonly string[]> {
  const waiting: string[] = [];
  const asked = withInstallLock(
    lockDir,
    async () => "done",
    AbortSignal.timeout(20_000),
    (owner) => {
      waiting.push(owner);
      void rm(lockDir, { recursive: true });
    },
  );
  expect(await asked).toBe("done");
  return waiting;
}

test("a lock that nobody keeps up is taken over, though its owner's pid is a living process's", async () => {
  const lockDir = await held(60_000);
  expect(await withInstallLock(lockDir, async () => "done", AbortSignal.timeout(5_000))).toBe(
    "done",
  );
  await expect(stat(lockDir)).rejects.toMatchObject({ code: "ENOENT" });
});

test("one that was touched in the future, as the clock was then, is taken over", async () => {
  const lockDir = await held(-3_600_000);
  expect(await withInstallLock(lockDir, async () => "done", AbortSignal.timeout(5_000))).toBe(
    "done",
  );
});

test.each([
  ["a process that this one's machine does not have", 2 ** 30],
  ["a process with this one's id", process.pid],
])("another container's lock, of %s, is waited for while it is kept up", async (_, pid) => {
  // This process has not run for that long.
  const lockDir = await held(Math.min(process.uptime() * 1_000 + 1_000, 25_000), pid, "shop-2");
  expect(await waitedFor(lockDir)).toEqual([`${pid} of shop-2`]);
});

test("another container's lock that nobody keeps up is taken over", async () => {
  const lockDir = await held(60_000, process.pid, "shop-2");
  expect(await withInstallLock(lockDir, async () => "done", AbortSignal.timeout(5_000))).toBe(
    "done",
  );
});

test("a lock says whose it is, in a form that earlier versions read", async () => {
  const lockDir = await held(60_000);
  await withInstallLock(lockDir, async () => {
    expect(await readFile(join(lockDir, "owner"), "utf8")).toBe(String(process.pid));
    expect(await readFile(join(lockDir, "host"), "utf8")).toBe(hostname());
  });
});

test("one that an earlier process of the same pid left is taken over at once, as in a container that starts anew", async () => {
  const lockDir = await held(process.uptime() * 1_000 + 1_000, process.pid);
  const waiting: string[] = [];
  const asked = withInstallLock(
    lockDir,
    async () => "done",
    AbortSignal.timeout(20_000),
    (owner) => waiting.push(owner),
  );
  expect(await asked).toBe("done");
  expect(waiting).toEqual([]);
});

test.each([
  ["another process", process.ppid],
  ["another thread of this one", process.pid],
])("one that %s keeps up is waited for, and that is said once", async (_, pid) => {
  const lockDir = await held(0, pid);
  expect(await waitedFor(lockDir)).toEqual([`${pid}`]);
});

test("of several that find a lock whose owner is dead each has its turn", async () => {
  const callers = [0, 1, 2, 3, 4];
  const inTurn = async (): Promise<void> => {
    const lockDir = await held(0, 2 ** 30);
    const signal = AbortSignal.timeout(20_000);
    const done = callers.map((n) => withInstallLock(lockDir, async () => n, signal));
    expect(await Promise.all(done)).toEqual(callers);
    expect(await readdir(dirname(lockDir))).toEqual([]);
  };
  await Promise.all(Array.from({ length: 20 }, inTurn));
});
