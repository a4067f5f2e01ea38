import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "./processes.ts";

const POLL_MS = 100;
/**
 * A lock directory without its owner's file is one whose maker died in between, or is just making
 * it.
 */
const OWNERLESS_MS = 5_000;

/**
 * Runs `work` while holding a lock directory, so that of several processes that need the same thing
 * one makes it. A lock whose owner is dead is taken over. The lock only saves work: what makes two
 * installers harmless is that each builds under a name of its own and renames the result into
 * place.
 */
export async function withInstallLock<T>(
  lockDir: string,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  while (!(await tryLock(lockDir))) {
    if (await isAbandoned(lockDir)) await rm(lockDir, { recursive: true, force: true });
    else await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal });
  }
  try {
    return await work();
  } finally {
    await rm(lockDir, { recursive: true, force: true });
  }
}

async function tryLock(lockDir: string): Promise<boolean> {
  try {
    await mkdir(lockDir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  await writeFile(join(lockDir, "owner"), String(process.pid));
  return true;
}

async function isAbandoned(lockDir: string): Promise<boolean> {
  try {
    const owner = Number(await readFile(join(lockDir, "owner"), "utf8"));
    if (owner > 0) return !isAlive(owner);
    return Date.now() - (await stat(lockDir)).mtimeMs > OWNERLESS_MS;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const made = await stat(lockDir).catch(() => undefined);
    return made !== undefined && Date.now() - made.mtimeMs > OWNERLESS_MS;
  }
}
