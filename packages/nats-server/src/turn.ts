import { randomUUID } from "node:crypto";
import type { Stats } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";

/** Who made a file and has not gone on since has died in between. */
const ABANDONED_MS = 5_000;

/** What one process at a time has: a directory, which the system makes for one of many. */
export interface Turn {
  /** Leaves alone what another has by now, who took this one for abandoned. */
  end(): Promise<void>;
}

/**
 * One that died in its turn has it for a few seconds.
 *
 * @returns undefined where another has it
 */
export async function takeTurn(path: string): Promise<Turn | undefined> {
  try {
    await mkdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const made = await statOf(path);
    if (made !== undefined && isAbandoned(made)) await endTurn(path, made);
    return undefined;
  }
  const mine = await statOf(path);
  return { end: async () => void (mine !== undefined && (await endTurn(path, mine))) };
}

/** One from the future was made before the clock was set back: nobody is just making it. */
export function isAbandoned({ mtimeMs }: Stats): boolean {
  return Math.abs(Date.now() - mtimeMs) > ABANDONED_MS;
}

/** Only the one that was seen: of many that found it abandoned another may have ended it first. */
export async function endTurn(path: string, seen: Stats): Promise<void> {
  const aside = await moveAside(path);
  if (aside === undefined) return;
  const moved = await statOf(aside);
  const isIt = moved?.ino === seen.ino && moved.mtimeMs === seen.mtimeMs;
  const remove = (): Promise<void> => rm(aside, { recursive: true, force: true });
  // Where somebody has made one meanwhile, that one counts.
  await (isIt ? remove() : rename(aside, path).catch(remove));
}

/**
 * Of many that want to take something away one has it, to look whether it is what they have seen.
 *
 * @returns where it is now; undefined where it is gone already
 */
export async function moveAside(path: string): Promise<string | undefined> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
    return aside;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export function statOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined);
}
