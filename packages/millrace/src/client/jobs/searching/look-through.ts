import { type Broker, MillraceError } from "@millrace/core";
import { type LiveScan, Reached, seenJobs } from "../find-live.ts";
import type { LiveJobTest, SeenJob } from "../job-filter.ts";
import { jobKey } from "../job-key.ts";
import type { LiveJob, LiveState } from "../live-jobs.ts";
import type { LookTold } from "./ask-nodes.ts";

/** From where jobs move on first. */
const PLACES = ["delayed", "blocked", "queued"] as const;
/**
 * So often each place is looked at: a job that has moved lies at the end of where it is now, which
 * takes a moment to read, and can be missed again only by moving back within that moment.
 */
const LOOKS = 3;

export interface Looking extends Omit<LiveScan, "isOver" | "onCut" | "onSilent" | "reached"> {
  readonly states: readonly LiveState[];
  /** Asked once of each time that a job is met, with what it carries: that is kept by nobody. */
  readonly fits: LiveJobTest["fits"];
  /** Nobody waits for it any more. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Looks through all that waits or runs. None of the jobs that are there from its beginning to its
 * end is missed, wherever they move meanwhile: into the queue, back to a gate, to another time.
 *
 * @param consider told of each that fits; may be told of a job again, as it was met last
 * @returns how many nodes did not answer; at least one where not all could be looked at that they
 *   may have
 * @throws MillraceError `queue-not-found` of the one that is named; the signal's reason
 */
export async function lookThrough(
  broker: Broker,
  { states, signal, fits, ...rest }: Looking,
  consider: (job: LiveJob) => void,
): Promise<number> {
  const reached = new Reached();
  const silent = new Set<string>();
  let isCut = false;
  const told: LookTold = {
    onCut: () => void (isCut = true),
    onSilent: (nodes) => nodes.forEach((node) => silent.add(node)),
  };
  const scan = { ...rest, ...told, reached, isOver: () => signal?.aborted === true };
  const ran = new Map<string, RanJob>();
  const look = async (state: LiveState): Promise<number> => {
    let met = 0;
    for await (const seen of seenJobs(broker, state, scan)) {
      signal?.throwIfAborted();
      met += 1;
      const { job, ranAt } = seen;
      const doesFit = fits(seen);
      if (state === "running" || !doesFit) ran.delete(jobKey(job));
      if (!doesFit) continue;
      if (ranAt === undefined) consider(job);
      else ran.set(jobKey(job), { job, ranAt });
    }
    signal?.throwIfAborted();
    return met;
  };
  /** Those that came back to their queues, where they were passed over. */
  const considerReturned = async (): Promise<void> => {
    for (const one of ran.values()) {
      signal?.throwIfAborted();
      if (await isStillThere(broker, one)) consider(one.job);
    }
    ran.clear();
  };
  for (let times = 1; times <= LOOKS; times += 1) {
    let met = 0;
    for (const place of PLACES) if (states.includes(place)) met += await look(place);
    if (states.includes("running")) {
      // Before the last look at the places: one that is put off meanwhile lies in one of them then.
      if (times === 1) await look("running");
      await considerReturned();
    }
    if (times > 1 && met === 0) break;
  }
  return Math.max(silent.size, isCut ? 1 : 0);
}

/** One that fits, and ran when its queue was read. */
type RanJob = Pick<SeenJob, "job"> & Required<Pick<SeenJob, "ranAt">>;

async function isStillThere(broker: Broker, { job: { queue }, ranAt }: RanJob): Promise<boolean> {
  try {
    const { jobs } = await broker.arrivals.stretch(queue, { after: ranAt - 1, limit: 1 });
    return jobs[0]?.position === ranAt;
  } catch (error) {
    if (MillraceError.is(error, "queue-not-found")) return false;
    throw error;
  }
}
