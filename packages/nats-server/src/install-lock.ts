import { mkdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "./processes.ts";

const POLL_MS = 100;
/**
 * A lock directory without its owner's file is one whose maker died in between, or is just making
 * it.
 */
const OWNERLESS_MS = 5_000;
/** Whoever has the lock shows so often that it is at work. */
const TOUCH_MS = 5_000;
/** The owner's pid may be another process's by now: in a container they begin anew each time. */
const UNTOUCHED_MS = 30_000;

/**
 * Runs `work` while holding a lock directory, so that of several processes that need the same thing
 * one makes it. A lock whose owner is dead, or no longer touches it, is taken over. The lock only
 * saves work: what makes two installers harmless is that each builds under a name of its own and
 * renames the result into place.
 *
 * @param onWait called once, with the owner's pid, where another has it
 */
export async function withInstallLock<T>(
  lockDir: string,
  work: () => Promise<T>,
  signal?: AbortSignal,
  onWait?: (owner: string) => void,
): Promise<T> {
  let isTold = false;
  while (!(await tryLock(lockDir))) {
    if (await isAbandoned(lockDir)) {
      await rm(lockDir, { recursive: true, force: true });
      continue;
    }
    const owner = await readFile(ownerOf(lockDir), "utf8").catch(() => "");
    if (!isTold && owner !== "") {
      isTold = true;
      onWait?.(owner);
    }
    await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal });
  }
  const touching = setInterval(() => {
    const now = new Date();
    // Where it is gone, somebody has taken it over.
    utimes(ownerOf(lockDir), now, now).catch(() => {});
  }, TOUCH_MS).unref();
  try {
    return await work();
  } finally {
    clearInterval(touching);
    await rm(lockDir, { recursive: true, force: true });
  }
}

function ownerOf(lockDir: string): string {
  return join(lockDir, "owner");
}

async function tryLock(lockDir: string): Promise<boolean> {
  try {
    await mkdir(lockDir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  await writeFile(ownerOf(lockDir), String(process.pid));
  return true;
}

/**
 * Of an earlier process with the pid that this one has. Another thread of this process has touched
 * its lock since the process began.
 */
function isEarlierSelf(owner: number, untouchedMs: number): boolean {
  return owner === process.pid && untouchedMs > process.uptime() * 1_000;
}

async function isAbandoned(lockDir: string): Promise<boolean> {
  try {
    const owner = Number(await readFile(ownerOf(lockDir), "utf8"));
    if (owner > 0) {
      const untouchedMs = Date.now() - (await stat(ownerOf(lockDir))).mtimeMs;
      return !isAlive(owner) || untouchedMs > UNTOUCHED_MS || isEarlierSelf(owner, untouchedMs);
    }
    return Date.now() - (await stat(lockDir)).mtimeMs > OWNERLESS_MS;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const made = await stat(lockDir).catch(() => undefined);
    return made !== undefined && Date.now() - made.mtimeMs > OWNERLESS_MS;
  }
}
