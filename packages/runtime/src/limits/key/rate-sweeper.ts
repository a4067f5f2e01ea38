import { RATES_BUCKET } from "../gate-names.ts";
import { eraseOver, LeaderSweep, type LeaderSweepHost } from "../leader-sweep.ts";
import { FORGET_MS, readRateState } from "./rate-reserver.ts";

/** What earlier versions removed has left a mark for each key that there ever was. */
const MARKS_MS = 3_600_000;
/** That reads the whole bucket, and none are made any more but by nodes of such versions. */
const MARKS_SOUGHT_EVERY_MS = 86_400_000;

/**
 * Erases what is remembered of keys that have their whole burst back, where no node does it: it has
 * forgotten the key, or has stopped. Only where a key's rate is met.
 */
export function rateSweeper(host: LeaderSweepHost): LeaderSweep {
  let marksSoughtMs = Number.NEGATIVE_INFINITY;
  return new LeaderSweep({
    ...host,
    lock: "leader/rate-sweeper",
    failed: "what is remembered of old keys' rates stays for now",
    sweep: async (signal) => {
      const { broker, clock } = host;
      const documents = await broker.documents(RATES_BUCKET);
      // What is owed goes by the clock that all nodes reckon with, and how old a document is by
      // that of whoever stores the bucket.
      const [now, storedNow] = await Promise.all([broker.serverNow(), documents.now()]);
      // A node that has written it a moment ago does so itself.
      await eraseOver(documents, storedNow - 2 * FORGET_MS, signal, ({ value }) => {
        const state = readRateState(value);
        return state !== undefined && state.paidAtMs + 2 * FORGET_MS < now;
      });
      if (signal.aborted || clock.monotonic() - marksSoughtMs < MARKS_SOUGHT_EVERY_MS) return;
      await documents.forgetRemoved({ olderThanMs: MARKS_MS });
      marksSoughtMs = clock.monotonic();
    },
  });
}
