import { readFileSync, rmSync } from "node:fs";
import { link, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MillraceError } from "@millrace/core";
import { isAlive, placeOfPids, startOf } from "./processes.ts";
import { isAbandoned, moveAside, statOf, takeTurn } from "./turn.ts";

const NAME = "millrace-server.lock";
const POLL_MS = 100;
/** A server whose parent was killed is ended by its guard within a second or so. */
const PATIENCE_MS = 3_000;
/** Whoever has the lock shows so often that it is there. */
const TOUCH_MS = 5_000;
/** Where its process can't be looked for. */
const UNTOUCHED_MS = 30_000;
/** Nor is one believed to be gone that was not watched for two touches: clocks are set. */
const WATCHED_MS = 2 * TOUCH_MS + 1_000;

interface Owner {
  readonly pid: number;
  readonly start: string | undefined;
  readonly url: string;
  /** Where its pid says something: absent of those that earlier versions wrote. */
  readonly place?: string | undefined;
}

/** A store is one server's: two that write to one lose what they have confirmed. */
export interface StoreLock {
  /** Says which process has the store: the server, before it is one. */
  hand(pid: number): Promise<void>;
  /**
   * Somebody else has the store, who took this one for gone: it was frozen, or cut off from its
   * files, for too long. Called once.
   */
  onLost(act: () => void): void;
  release(): void;
}

/**
 * Takes a store for a server at `url`, for as long as the process lives that has it. A lock whose
 * owner is gone is taken over; a pid that another process has by now is none of its owner. Where it
 * is another container's, which has processes of its own, it is gone once it has not touched its
 * lock for half a minute, whatever clocks say.
 *
 * @throws MillraceError `store-in-use`
 */
export async function lockStore(storeDir: string, url: string): Promise<StoreLock> {
  const path = join(storeDir, NAME);
  let mine = await describeOwner(process.pid, url);
  const own = new Set([mine]);
  const deadline = performance.now() + PATIENCE_MS;
  let watched: Watched | undefined;
  while (!(await create(path, mine))) {
    const found = await read(path);
    if (found === undefined) continue;
    const owner = parse(found);
    if (await isElsewhere(owner)) {
      // It lives if it touches its lock. If it does not, it was killed with its container.
      const touched = await statOf(path);
      if (touched === undefined) continue;
      watched ??= { found, mtimeMs: touched.mtimeMs, since: performance.now() };
      if (!isAsWatched(watched, found, touched)) throw storeInUse(storeDir, owner);
      const seen = watched;
      if (isLongUntouched(seen) && (await takeOver(path, mine, seen))) break;
      await sleep(POLL_MS);
    } else if (await isGone(path, owner)) {
      if (await takeOver(path, mine)) break;
    } else if (performance.now() > deadline) {
      throw storeInUse(storeDir, owner);
    } else {
      await sleep(POLL_MS);
    }
  }
  let lost = (): void => {};
  const touch = async (): Promise<void> => {
    const found = await read(path);
    const now = new Date();
    // With its store it is gone too.
    if (found === undefined) return;
    if (own.has(found)) return utimes(path, now, now);
    clearInterval(touching);
    lost();
  };
  const touching = setInterval(() => void touch().catch(() => {}), TOUCH_MS).unref();
  return {
    onLost: (act) => void (lost = act),
    async hand(pid) {
      const its = await describeOwner(pid, url);
      const found = await read(path);
      // Whoever slept for long may have been taken for gone.
      if (found !== mine) throw storeInUse(storeDir, parse(found ?? ""));
      own.add(its);
      await writeFile(`${path}.new`, its);
      await rename(`${path}.new`, path);
      mine = its;
    },
    release() {
      clearInterval(touching);
      try {
        if (readFileSync(path, "utf8") === mine) rmSync(path, { force: true });
      } catch {
        // With its store it is gone too.
      }
    },
  };
}

/** The address of the server that has a store, as far as one has it. */
export async function storeOwner(storeDir: string): Promise<string | undefined> {
  const path = join(resolve(storeDir), NAME);
  const owner = parse((await read(path)) ?? "");
  return owner === undefined || (await isGone(path, owner)) ? undefined : owner.url;
}

async function describeOwner(pid: number, url: string): Promise<string> {
  const [start, place] = await Promise.all([startOf(pid), placeOfPids()]);
  return JSON.stringify({ pid, start, url, place } satisfies Owner);
}

async function create(path: string, content: string): Promise<boolean> {
  try {
    await writeFile(path, content, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function parse(content: string): Owner | undefined {
  try {
    const owner = JSON.parse(content) as Partial<Owner>;
    const { pid, url = "", start, place } = owner;
    return typeof pid === "number" ? { pid, url, start, place } : undefined;
  } catch {
    return undefined;
  }
}

async function isGone(path: string, owner: Owner | undefined): Promise<boolean> {
  if (owner === undefined) {
    // An empty lock is one whose maker died in between, or is just writing it.
    const made = await statOf(path);
    return made !== undefined && isAbandoned(made);
  }
  if (await isElsewhere(owner)) {
    const touched = await statOf(path);
    return touched !== undefined && Date.now() - touched.mtimeMs > UNTOUCHED_MS;
  }
  if (!isAlive(owner.pid)) return true;
  const start = await startOf(owner.pid);
  // One that the system does not tell the start of lives: two servers would write to one store.
  return start !== undefined && owner.start !== undefined && start !== owner.start;
}

/** A lock of another container, as it was when it was first looked at, by this process's clock. */
interface Watched {
  readonly found: string;
  readonly mtimeMs: number;
  readonly since: number;
}

function isAsWatched(watched: Watched, found: string, { mtimeMs }: { mtimeMs: number }): boolean {
  return watched.found === found && watched.mtimeMs === mtimeMs;
}

function isLongUntouched({ mtimeMs, since }: Watched): boolean {
  const watchedMs = performance.now() - since;
  const isOld = Date.now() - mtimeMs > UNTOUCHED_MS;
  return watchedMs > UNTOUCHED_MS || (isOld && watchedMs > WATCHED_MS);
}

/** Whether its pid says nothing here. */
async function isElsewhere(owner: Owner | undefined): Promise<boolean> {
  return owner?.place !== undefined && owner.place !== (await placeOfPids());
}

/**
 * Of those that find a lock abandoned one at a time looks again and takes it over: where one took
 * away what another had just made, both had the store.
 *
 * @param watched of another container's: it must still be so
 * @returns whether this one has it now
 */
async function takeOver(path: string, mine: string, watched?: Watched): Promise<boolean> {
  const turn = await takeTurn(`${path}.takeover`);
  if (turn === undefined) {
    await sleep(POLL_MS / 10);
    return false;
  }
  try {
    const found = await read(path);
    if (found === undefined) return await create(path, mine);
    const touched = await statOf(path);
    const isIt =
      watched === undefined
        ? await isGone(path, parse(found))
        : touched !== undefined && isAsWatched(watched, found, touched);
    if (!isIt) return false;
    await takeAway(path, found);
    return await create(path, mine);
  } finally {
    await turn.end();
  }
}

/** Not what another has made meanwhile, who may have taken this one's turn for abandoned. */
async function takeAway(path: string, abandoned: string): Promise<void> {
  const aside = await moveAside(path);
  if (aside === undefined) return;
  if ((await read(aside)) !== abandoned) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

function storeInUse(storeDir: string, owner: Owner | undefined): MillraceError {
  const who = owner === undefined ? "" : ` at ${owner.url} (process ${owner.pid})`;
  return new MillraceError(
    "store-in-use",
    `A nats-server${who} keeps its data in ${storeDir}. Use that one, end it, or take another directory.`,
  );
}
