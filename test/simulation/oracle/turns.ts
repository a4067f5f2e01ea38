import { WORLD_BEGAN } from "../engine/process.ts";

const LINK = /^(j\d+):(\d+)$/;
const SECOND = "*2";

/** The name of a job that is enqueued under the id of another, which its queue has forgotten. */
export function againOf(id: string): string {
  return id + SECOND;
}

/** The id under which a job was enqueued. */
export function idOf(job: string): string {
  return job.endsWith(SECOND) ? job.slice(0, -SECOND.length) : job;
}

/** The job before one in its chain, and the one behind it, by name. */
export function neighbour(job: string, step: -1 | 1): string | undefined {
  const id = idOf(job);
  const [, chain = id, place = "1"] = LINK.exec(id) ?? [];
  const to = Number(place) + step;
  if (to < 1) return undefined;
  return (to === 1 ? chain : `${chain}:${to}`) + job.slice(id.length);
}

/**
 * Tells the jobs of one id apart, by when they were made: each accepted enqueue is a job of its
 * own.
 */
export class Turns {
  /** When the second job of an id was about to be made, epoch milliseconds of the world. */
  readonly #again = new Map<string, number>();
  /** When jobs succeeded, by name: what follows one of them was made then. */
  readonly #successes = new Map<string, Set<number>>();

  planned(job: string, atMs: number): void {
    const id = idOf(job);
    // A ledger rounds its times up or down, a job's time is always down; the job before is minutes
    // older.
    if (job !== id) this.#again.set(id, Math.floor(WORLD_BEGAN + atMs) - 1);
  }

  succeeded(job: string, at: number): void {
    this.#successes.set(job, (this.#successes.get(job) ?? new Set()).add(at));
  }

  /** The name of the job of this id that was made at that time. */
  of(id: string, createdAt: number | undefined): string {
    const [, chain = id] = LINK.exec(id) ?? [];
    const since = this.#again.get(chain);
    if (since === undefined || createdAt === undefined) return id;
    if (chain === id) return createdAt < since ? id : againOf(id);
    const before = neighbour(againOf(id), -1) ?? "";
    return this.#successes.get(before)?.has(createdAt) === true ? againOf(id) : id;
  }

  /** All jobs of an id that are known by now. */
  all(id: string): readonly string[] {
    const [, chain = id] = LINK.exec(id) ?? [];
    return this.#again.has(chain) ? [id, againOf(id)] : [id];
  }
}
