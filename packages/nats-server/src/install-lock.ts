import { mkdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "./processes.ts";
import { isAbandoned as isLongAgo, statOf } from "./turn.ts";

const POLL_MS = 100;
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
 * @param onWait called once, with the owner's pid, where another has it, and its host if that is
 *   another
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
    const owner = await readOwner(lockDir);
    if (!isTold && owner !== undefined) {
      isTold = true;
      onWait?.(owner.isHere ? String(owner.pid) : `${owner.pid} of ${owner.host}`);
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

interface Owner {
  readonly pid: number;
  /** Absent of those that earlier versions wrote. */
  readonly host: string | undefined;
  /**
   * Whether its pid says something here: containers that share a volume have the same ones, each
   * for processes of its own. One that starts anew keeps its host's name.
   */
  readonly isHere: boolean;
}

function ownerOf(lockDir: string): string {
  return join(lockDir, "owner");
}

function hostOf(lockDir: string): string {
  return join(lockDir, "host");
}

async function tryLock(lockDir: string): Promise<boolean> {
  try {
    await mkdir(lockDir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  // Earlier versions read the owner as a number alone.
  await writeFile(hostOf(lockDir), hostname());
  await writeFile(ownerOf(lockDir), String(process.pid));
  return true;
}

/** @returns undefined where nobody has the lock, or it does not say who */
async function readOwner(lockDir: string): Promise<Owner | undefined> {
  const pid = Number(await readFile(ownerOf(lockDir), "utf8").catch(() => ""));
  if (!(pid > 0)) return undefined;
  const host = await readFile(hostOf(lockDir), "utf8").catch(() => undefined);
  return { pid, host, isHere: host === undefined || host === hostname() };
}

/**
 * Of an earlier process with the pid that this one has. Another thread of this process has touched
 * its lock since the process began.
 */
function isEarlierSelf(pid: number, untouchedMs: number): boolean {
  return pid === process.pid && untouchedMs > process.uptime() * 1_000;
}

async function isAbandoned(lockDir: string): Promise<boolean> {
  const owner = await readOwner(lockDir);
  const touched = await statOf(ownerOf(lockDir));
  if (owner === undefined || touched === undefined) {
    // One whose maker died in between, or is just making it.
    const made = await statOf(lockDir);
    return made !== undefined && isLongAgo(made);
  }
  const untouchedMs = Date.now() - touched.mtimeMs;
  // In the future where the clock was set back.
  if (Math.abs(untouchedMs) > UNTOUCHED_MS) return true;
  return owner.isHere && (!isAlive(owner.pid) || isEarlierSelf(owner.pid, untouchedMs));
}
