import { type Arrival, type Broker, defined, type Envelope, MillraceError } from "@millrace/core";
import { Turns } from "../../filter/turns.ts";
import type { LiveJobTest, SeenJob } from "./job-filter.ts";
import { jobKey, type OneJob } from "./job-key.ts";
import {
  blockedJob,
  delayedJob,
  type LiveJob,
  liveJobs,
  type LiveState,
  queuedJob,
  whatRuns,
} from "./live-jobs.ts";
import type { LookTold } from "./searching/ask-nodes.ts";
import { PAGE_BYTES } from "./waiting-pages.ts";

/** What was found among jobs in a state, and how far was looked. */
export interface FoundLiveJobs {
  readonly jobs: readonly LiveJob[];
  /** So many jobs were looked at. */
  readonly looked: number;
  /** Not all were looked at: more may fit. */
  readonly more: boolean;
  /**
   * So many nodes did not answer, where any did not: which jobs they have is known as far as their
   * queues say it.
   */
  readonly unanswered?: number;
}

export interface LiveScan extends LookTold {
  readonly queue?: string;
  /** What jobs carry is asked for, too. */
  readonly asksCargo: boolean;
  /** When each was enqueued is asked for: of a delayed job only its envelope says it. */
  readonly asksCreation?: boolean;
  /** Whether it has taken long enough. Of what runs it is not looked then what it carries. */
  readonly isOver?: () => boolean;
  /** Of what runs: whether what the job carries matters at all. */
  readonly mayFit?: LiveJobTest["mayFit"];
  /**
   * How far an earlier look came: it is gone on from there. Nobody looks again at what is left out.
   */
  readonly reached?: Reached;
}

/** How far each place was looked through: what has come, or was moved, since lies behind it. */
export class Reached {
  delayed = 0;
  blocked = 0;
  /** Those that are read. */
  queues: Map<string, number> | undefined;
}

const PAGE = 1_000;
/** No filter takes long for these, unless it looks at what they carry. */
const FEW = 50;
/** More than all nodes run. */
const MOST_RUNNING = 100_000;

/**
 * The first of the jobs that fit, in the order of `seenJobs`.
 *
 * @param bounds.limit so many are enough
 * @param bounds.most so many are looked at
 * @param bounds.isOver whether it has taken long enough
 */
export async function findLive(
  broker: Broker,
  state: LiveState,
  { queue, test }: { readonly queue?: string | undefined; readonly test: LiveJobTest },
  { limit, most, isOver }: SearchBounds,
): Promise<FoundLiveJobs> {
  const { fits, asksCargo, mayFit } = test;
  const jobs: LiveJob[] = [];
  let looked = 0;
  let more = false;
  let unanswered: number | undefined;
  const told: LookTold = {
    onCut: () => void (more = true),
    onSilent: ({ length }) => void (unanswered = length),
  };
  const scan = { asksCargo, isOver, mayFit, ...told, ...(queue === undefined ? {} : { queue }) };
  for await (const seen of seenJobs(broker, state, scan)) {
    if ((looked > 0 && isOver()) || looked === most || jobs.length === limit) {
      more = true;
      break;
    }
    if (seen.unread === true) {
      more = true;
      continue;
    }
    looked += 1;
    if (fits(seen)) jobs.push(seen.job);
  }
  return { jobs, looked, more, ...defined({ unanswered }) };
}

interface SearchBounds {
  readonly limit: number;
  readonly most: number;
  readonly isOver: () => boolean;
}

/**
 * All jobs that are in a state of those that have not ended, one at a time: those that were when
 * the reading began, of a queue those that lay in it when the reading of it began. A look at things
 * in motion.
 *
 * @throws MillraceError `queue-not-found` of the one that is named
 */
export async function* seenJobs(
  broker: Broker,
  state: LiveState,
  scan: LiveScan,
): AsyncGenerator<SeenJob, void, undefined> {
  for await (const page of pagesOf(broker, state, scan)) {
    const turns = new Turns();
    const takesLong = scan.asksCargo || page.length > FEW;
    for (const seen of page) {
      if (takesLong && turns.isOver) await turns.next();
      yield seen;
    }
  }
}

type Pages = AsyncGenerator<readonly SeenJob[], void, undefined>;

async function* pagesOf(broker: Broker, state: LiveState, scan: LiveScan): Pages {
  switch (state) {
    case "queued":
      return yield* queued(broker, scan);
    case "delayed":
      return yield* delayed(broker, scan);
    case "blocked":
      return yield* blocked(broker, scan);
    case "running":
      return yield* running(broker, scan);
  }
}

/** One that waits or runs: it lies in its queue until it is settled, and is `queued` there. */
export async function seenJob(
  broker: Broker,
  { id, queue }: { readonly id: string; readonly queue: string | undefined },
): Promise<SeenJob | undefined> {
  const found = await broker.findWaiting(id, queue === undefined ? {} : { queue });
  if (found === undefined) return undefined;
  const { envelope, storedAt, state, gate } = found;
  const job = {
    ...{ ...queuedJob(envelope, storedAt), state },
    ...(gate === undefined ? {} : { gate }),
  };
  return { job, carries: envelope };
}

async function* queued(broker: Broker, { queue, reached, onSilent }: LiveScan): Pages {
  const before = reached?.queues;
  const asked = before === undefined ? await whatRuns(broker, { queue, onSilent }) : undefined;
  const ends = before ?? new Map<string, number>();
  if (reached !== undefined) reached.queues = ends;
  let runs = asked?.runs;
  for (const name of asked?.queues.map((one) => one.queue) ?? [...ends.keys()]) {
    const isNamed = queue !== undefined && before === undefined;
    const of = { queue: name, isNamed, after: ends.get(name) ?? 0 };
    for await (const part of partsOf(broker, of, (end) => void ends.set(name, end))) {
      if (part.length === 0) continue;
      // Where nothing has come since, nobody need be asked.
      runs ??= (await whatRuns(broker, { queue, onSilent })).runs;
      yield seenIn(part, runs, reached !== undefined);
    }
  }
}

/** @param withRunning those that run are there too, marked as such */
function seenIn(
  part: readonly Arrival[],
  runs: ReadonlySet<string>,
  withRunning: boolean,
): readonly SeenJob[] {
  return part.flatMap(({ envelope, storedAt, position }) => {
    const seen = { job: queuedJob(envelope, storedAt), carries: envelope };
    if (!runs.has(jobKey(envelope))) return seen;
    return withRunning ? { ...seen, ranAt: position } : [];
  });
}

/**
 * What lies in a queue now, a part at a time.
 *
 * @param told called with the position up to which it is read
 */
async function* partsOf(
  broker: Broker,
  {
    queue,
    isNamed,
    after: from = 0,
  }: { readonly queue: string; readonly isNamed: boolean; readonly after?: number },
  told: (end: number) => void = () => undefined,
): AsyncGenerator<readonly Arrival[], void, undefined> {
  let end: number | undefined;
  for (let after = from; ;) {
    let part;
    try {
      part = await broker.arrivals.stretch(queue, { after, limit: PAGE });
    } catch (error) {
      // Of all queues one was removed meanwhile.
      if (!isNamed && MillraceError.is(error, "queue-not-found")) return;
      throw error;
    }
    // Or producers that are as fast would keep it from ever ending.
    if (end === undefined) told((end = part.newest));
    const last = end;
    yield part.jobs.filter(({ position }) => position <= last);
    if (part.until >= last) return;
    after = part.until;
  }
}

async function* delayed(
  broker: Broker,
  { queue, asksCargo, asksCreation = false, reached }: LiveScan,
): Pages {
  const where = {
    ...{ limit: PAGE, bytes: PAGE_BYTES },
    ...(queue === undefined ? {} : { queue }),
    ...(asksCargo || asksCreation ? { envelopes: true as const } : {}),
  };
  // What comes meanwhile lies behind it, and would keep it from ever ending.
  const until = await broker.delayed.newest({ once: reached !== undefined });
  let after = reached?.delayed ?? 0;
  if (reached !== undefined) reached.delayed = until;
  while (after < until) {
    const page = await broker.delayed.list({ ...where, after, until });
    if (page.length === 0) return;
    yield page.map((one) => ({
      job: delayedJob(one),
      ...(one.envelope === undefined ? {} : { carries: one.envelope }),
    }));
    after = Math.max(...page.map(({ position }) => position));
  }
}

async function* blocked(broker: Broker, { queue, reached }: LiveScan): Pages {
  const where = { limit: PAGE, bytes: PAGE_BYTES, ...(queue === undefined ? {} : { queue }) };
  const until = await broker.blocked.newest({ once: reached !== undefined });
  let after = reached?.blocked ?? 0;
  if (reached !== undefined) reached.blocked = until;
  while (after < until) {
    const page = await broker.blocked.list({ ...where, after, until });
    const last = page.at(-1);
    if (last === undefined) return;
    yield page.map((one) => ({ job: blockedJob(one), carries: one.envelope }));
    after = last.sequence;
  }
}

/** What runs lies in its queue until it is settled. What is not there any more has ended. */
async function* running(
  broker: Broker,
  { queue, asksCargo, isOver, mayFit = () => true, onCut, onSilent }: LiveScan,
): Pages {
  const query = { limit: MOST_RUNNING, ...defined({ queue, onCut, onSilent }) };
  const jobs = await liveJobs(broker, "running", query);
  if (!asksCargo) {
    yield jobs.map((job) => ({ job }));
    return;
  }
  const { found, unread } = await envelopesOf(broker, jobs.filter(mayFit), isOver);
  yield jobs.flatMap((job) => {
    const carries = found.get(jobKey(job));
    if (carries !== undefined) return [{ job, carries }];
    if (unread.has(jobKey(job))) return [{ job, unread: true as const }];
    return mayFit(job) ? [] : [{ job }];
  });
}

interface FoundEnvelopes {
  readonly found: ReadonlyMap<string, Envelope>;
  /** It was over before they were reached. */
  readonly unread: ReadonlySet<string>;
}

async function envelopesOf(
  broker: Broker,
  jobs: readonly OneJob[],
  isOver: LiveScan["isOver"] = () => false,
): Promise<FoundEnvelopes> {
  const found = new Map<string, Envelope>();
  const missing = new Set(jobs.map(jobKey));
  for (const queue of new Set(jobs.map((job) => job.queue))) {
    const ofQueue = jobs.filter((job) => job.queue === queue).map(jobKey);
    let left = ofQueue.length;
    for await (const part of partsOf(broker, { queue, isNamed: false })) {
      for (const { envelope } of part)
        if (missing.delete(jobKey(envelope))) {
          found.set(jobKey(envelope), envelope);
          left -= 1;
        }
      if (left === 0) break;
      if (isOver()) return { found, unread: missing };
    }
    for (const key of ofQueue) missing.delete(key);
    if (missing.size > 0 && isOver()) break;
  }
  return { found, unread: missing };
}
