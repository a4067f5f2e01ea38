import { RATES_BUCKET } from "../gate-names.ts";
import { eraseOver, LeaderSweep, type LeaderSweepHost } from "../leader-sweep.ts";
import { FORGET_MS, readRateState } from "./rate-reserver.ts";

/** What earlier versions removed has left a mark for each key that there ever was. */
const MARKS_MS = 3_600_000;

/**
 * Erases what is remembered of keys that have their whole burst back, where the node that would
 * have done it has stopped. Only where a key's rate is met.
 */
export function rateSweeper(host: LeaderSweepHost): LeaderSweep {
  return new LeaderSweep({
    ...host,
    lock: "leader/rate-sweeper",
    failed: "what is remembered of old keys' rates stays for now",
    sweep: async (signal) => {
      const documents = await host.broker.documents(RATES_BUCKET);
      const now = await documents.now();
      // A node that has written it a moment ago does so itself.
      await eraseOver(documents, now - 2 * FORGET_MS, signal, ({ value }) => {
        const state = readRateState(value);
        return state !== undefined && state.paidAtMs + 2 * FORGET_MS < now;
      });
      if (!signal.aborted) await documents.forgetRemoved({ olderThanMs: MARKS_MS });
    },
  });
}
