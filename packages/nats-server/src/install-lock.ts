import { randomUUID } from "node:crypto";
import type { Stats } from "node:fs";
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "./processes.ts";
import { endTurn, isAbandoned as isLongAgo, statOf } from "./turn.ts";

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
  let mine: Stats | undefined;
  while ((mine = await tryLock(lockDir)) === undefined) {
    // Looked at first: what stands there after the judgement may be another's.
    const seen = await statOf(lockDir);
    if (seen !== undefined && (await isAbandoned(lockDir, seen))) {
      await endTurn(lockDir, seen);
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
    // Leaves alone what another has by now, who took this one for abandoned.
    await endTurn(lockDir, mine);
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

/** As systems say that a directory can't take the place of another. */
const IN_USE = ["EEXIST", "ENOTEMPTY", "EPERM"];

/**
 * Made under a name of its own and put into its place whole: whoever has just found a dead lock
 * there may take it away at any moment.
 *
 * @returns the lock as it is now; undefined where another has it
 */
async function tryLock(lockDir: string): Promise<Stats | undefined> {
  if ((await statOf(lockDir)) !== undefined) return undefined;
  const own = `${lockDir}.${randomUUID()}`;
  await mkdir(own);
  try {
    // Earlier versions read the owner as a number alone.
    await writeFile(hostOf(own), hostname());
    await writeFile(ownerOf(own), String(process.pid));
    const made = await stat(own);
    await rename(own, lockDir);
    return made;
  } catch (error) {
    await rm(own, { recursive: true, force: true });
    if (IN_USE.includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
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

async function isAbandoned(lockDir: string, seen: Stats): Promise<boolean> {
  const owner = await readOwner(lockDir);
  const touched = await statOf(ownerOf(lockDir));
  if (owner === undefined || touched === undefined) {
    // An earlier version's, whose maker died in between, or is just making it.
    return isLongAgo(seen);
  }
  const untouchedMs = Date.now() - touched.mtimeMs;
  // In the future where the clock was set back.
  if (Math.abs(untouchedMs) > UNTOUCHED_MS) return true;
  return owner.isHere && (!isAlive(owner.pid) || isEarlierSelf(owner.pid, untouchedMs));
}
