import { MillraceError } from "@millrace/core";
import type { FleetJob } from "../fleet/fleet.ts";
import type { BatchView, FamilyMemberView, FamilyView } from "./views/family-views.ts";
import type { Reading } from "./reading.ts";
import type { RefView } from "./views/views.ts";

/** Each is some reads of the server. */
const MOST = 40;
const AT_ONCE = 8;

const keyOf = ({ queue, id }: RefView): string => `${queue}/${id}`;

/** A job that comes later in a chain, and since when it may have been enqueued by it. */
interface Planned {
  readonly name: string;
  readonly since: number;
}

/**
 * The job, the line of jobs that enqueued it, what all of them enqueued, the chain it stands in and
 * its batch, the nearest first: as far as the history says so.
 */
export async function family({ fleet }: Pick<Reading, "fleet">, of: RefView): Promise<FamilyView> {
  const walk = new Walk(of);
  let batch: BatchView | undefined;
  let isAsked = false;
  while (walk.goesOn) {
    const now = walk.nearest();
    for (const [ref, job] of await Promise.all(now.map((one) => known(fleet.jobs, one))))
      walk.take(ref, job);
    if (isAsked || walk.own === undefined) continue;
    isAsked = true;
    batch = await batchOf(fleet, walk.own);
    // Of all its jobs only the one that was asked for is drawn with it.
    if (batch !== undefined && walk.own.batch !== undefined) walk.leadsTo(of, batch.callback);
  }
  return { ...walk.view(), ...(batch === undefined ? {} : { batch }) };
}

class Walk {
  readonly #members = new Map<string, FamilyMemberView>();
  readonly #links = new Map<string, { readonly from: string; readonly to: string }>();
  readonly #asked: Set<string>;
  readonly #planned = new Map<string, Planned>();
  /** By the last job of a chain that is named: how many come after it. */
  readonly #unnamed = new Map<string, number>();
  readonly #known = new Set<string>();
  #waiting: readonly RefView[];
  /** The job that was asked for. */
  own: FleetJob | undefined;

  constructor(of: RefView) {
    this.#asked = new Set([keyOf(of)]);
    this.#waiting = [of];
  }

  get goesOn(): boolean {
    return this.#waiting.length > 0 && this.#members.size < MOST;
  }

  nearest(): readonly RefView[] {
    const now = this.#waiting.slice(0, Math.min(AT_ONCE, MOST - this.#members.size));
    this.#waiting = this.#waiting.slice(now.length);
    return now;
  }

  leadsTo(from: RefView, to: RefView): void {
    this.#link(from, to);
    this.#meet(to);
  }

  take(ref: RefView, found: FleetJob | undefined): void {
    const { id, queue } = ref;
    const key = keyOf(ref);
    const planned = this.#planned.get(key);
    const job = isOfBefore(found, planned) ? undefined : found;
    this.#members.set(key, { key, queue, id, ...wordsOf(job, planned) });
    if (job === undefined) return;
    this.#known.add(key);
    if (this.#members.size === 1) this.own = job;
    const { parent, follows, next, history } = job;
    for (const before of [parent, follows]) {
      if (before === undefined) continue;
      this.#link(before, ref);
      this.#meet(before);
    }
    for (const child of history.flatMap(({ children }) => children?.jobs ?? []))
      this.leadsTo(ref, child);
    const since = history.at(-1)?.createdAt ?? 0;
    let before: RefView = ref;
    for (const later of next?.jobs ?? []) {
      this.#planned.set(keyOf(later), { name: later.name, since });
      this.leadsTo(before, later);
      before = later;
    }
    if (next !== undefined && next.count > next.jobs.length)
      this.#unnamed.set(keyOf(before), next.count - next.jobs.length);
  }

  view(): FamilyView {
    const later = this.#later();
    const isShown = (key: string): boolean => this.#members.has(key);
    return {
      members: [...this.#members.values()],
      links: [...this.#links.values()].filter(({ from, to }) => isShown(from) && isShown(to)),
      more: this.#waiting.length > 0,
      ...(later === 0 ? {} : { later }),
    };
  }

  /**
   * How many later jobs no record names. A job that was looked up, or whose predecessor names it,
   * is not among them.
   */
  #later(): number {
    const goesOn = new Set([...this.#links.values()].map(({ from }) => from));
    let later = 0;
    for (const [key, count] of this.#unnamed)
      if (!this.#known.has(key) && !goesOn.has(key)) later += count;
    return later;
  }

  #link(fromRef: RefView, toRef: RefView): void {
    const [from, to] = [keyOf(fromRef), keyOf(toRef)];
    this.#links.set(`${from} ${to}`, { from, to });
  }

  #meet({ id, queue }: RefView): void {
    const ref = { id, queue };
    if (this.#asked.has(keyOf(ref))) return;
    this.#asked.add(keyOf(ref));
    this.#waiting = [...this.#waiting, ref];
  }
}

/** A chain that is enqueued again comes by the same ids: the one before is another's. */
function isOfBefore(job: FleetJob | undefined, planned: Planned | undefined): boolean {
  const createdAt = job?.history.at(-1)?.createdAt;
  return planned !== undefined && createdAt !== undefined && createdAt < planned.since;
}

function wordsOf(
  job: FleetJob | undefined,
  planned: Planned | undefined,
): Pick<FamilyMemberView, "name" | "state"> {
  if (job !== undefined) return { name: job.name, state: job.state };
  return planned === undefined ? {} : { name: planned.name, state: "not begun" };
}

async function batchOf(
  { batches }: Pick<Reading["fleet"], "batches">,
  { id: job, queue, batch, closes }: FleetJob,
): Promise<BatchView | undefined> {
  const found =
    batch === undefined
      ? closes && { ...closes, left: 0, callback: { id: job, queue } }
      : await batches.get(batch, { queue });
  if (found === undefined) return undefined;
  const { id, total, left, callback, succeeded, dead, expired, cancelled, refused } = found;
  const counts = { succeeded, dead, expired, cancelled, refused };
  return { id, total, left, counts, callback: { id: callback.id, queue: callback.queue } };
}

async function known(
  jobs: Pick<Reading["fleet"]["jobs"], "get">,
  ref: RefView,
): Promise<readonly [RefView, FleetJob | undefined]> {
  try {
    return [ref, await jobs.get(ref.id, { queue: ref.queue })];
  } catch (error) {
    // The history has forgotten it, or its queue is gone.
    if (MillraceError.is(error, "job-not-found") || MillraceError.is(error, "queue-not-found"))
      return [ref, undefined];
    throw error;
  }
}
