import { endMark, type EndRef } from "@millrace/core";
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

/** What tells of two links that were made in one millisecond which is which. */
export interface MadeBy {
  /** The job before it, by name: it was given that one's result. */
  readonly after?: string | undefined;
  /** The mark of the success that it follows. */
  readonly mark?: number | undefined;
}

/**
 * Tells the jobs of one id apart, by when they were made: each accepted enqueue is a job of its
 * own.
 */
export class Turns {
  /** When the second job of an id was about to be made, epoch milliseconds of the world. */
  readonly #again = new Map<string, number>();
  /** When jobs succeeded, by name, and the mark of each: what follows one was made then. */
  readonly #successes = new Map<string, Map<number, number>>();

  planned(job: string, atMs: number): void {
    const id = idOf(job);
    // A ledger rounds its times up or down, a job's time is always down; the job before is minutes
    // older.
    if (job !== id) this.#again.set(id, Math.floor(WORLD_BEGAN + atMs) - 1);
  }

  succeeded(job: string, end: EndRef): void {
    const known = this.#successes.get(job) ?? new Map<number, number>();
    this.#successes.set(job, known.set(end.at, endMark(end)));
  }

  /** The name of the job of this id that was made at that time. */
  of(id: string, createdAt: number | undefined, { after, mark }: MadeBy = {}): string {
    const [, chain = id] = LINK.exec(id) ?? [];
    const since = this.#again.get(chain);
    if (since === undefined || createdAt === undefined) return id;
    if (chain === id) return createdAt < since ? id : againOf(id);
    const secondBefore = neighbour(againOf(id), -1) ?? "";
    const second = this.#successes.get(secondBefore)?.get(createdAt);
    if (second === undefined) return id;
    const first = this.#successes.get(neighbour(id, -1) ?? "")?.get(createdAt);
    if (first === undefined || (after === undefined && mark === undefined)) return againOf(id);
    return after === secondBefore || mark === second ? againOf(id) : id;
  }

  /** All jobs of an id that are known by now. */
  all(id: string): readonly string[] {
    const [, chain = id] = LINK.exec(id) ?? [];
    return this.#again.has(chain) ? [id, againOf(id)] : [id];
  }
}
