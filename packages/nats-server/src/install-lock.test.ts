import { mkdir, mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { withInstallLock } from "./install-lock.ts";

/** A lock of a process that lives, whose owner's file was written so long ago. */
async function held(agoMs: number, pid = process.ppid): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "millrace-lock-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const lockDir = join(dir, "lock");
  await mkdir(lockDir);
  await writeFile(join(lockDir, "owner"), String(pid));
  const at = new Date(Date.now() - agoMs);
  await utimes(join(lockDir, "owner"), at, at);
  return lockDir;
}

test("a lock that nobody keeps up is taken over, though its owner's pid is a living process's", async () => {
  const lockDir = await held(60_000);
  expect(await withInstallLock(lockDir, async () => "done", AbortSignal.timeout(5_000))).toBe(
    "done",
  );
  await expect(stat(lockDir)).rejects.toMatchObject({ code: "ENOENT" });
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
  expect(waiting).toEqual([`${pid}`]);
});
