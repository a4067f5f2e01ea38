import { bareSystem } from "../bare/bare-system.ts";
import type { JobSystem } from "../systems/job-system.ts";
import { millrace } from "../systems/millrace.ts";
import { bullmqInMemory, graphile, graphileBatched, peers, pgBoss } from "../systems/peers.ts";
import { recover } from "../systems/recover.ts";
import type { Contender, Scenario } from "./scenario.ts";

/** What each has set by default for a worker that is gone. */
const SETTINGS: Readonly<Record<string, string>> = {
  [bareSystem.name]: "ack_wait is 30 s",
  [millrace.name]: "a lease is 30 s",
  BullMQ: "a lock is 30 s, and it looks for stalled jobs every 30 s",
  [graphileBatched.name]: "a job of a worker that is gone is unlocked after 4 h",
  [pgBoss.name]: "a job that is active expires after 15 min (a heartbeat is off)",
};
const settingOf = ({ name }: { readonly name: string }): string => SETTINGS[name] ?? "";

const contender = (system: JobSystem): Contender => ({
  name: system.name,
  run: (arena) => recover(system, arena, settingOf(system)),
});

export const recovery: Scenario = {
  name: "recovery",
  question: "How long after the SIGKILL of its process does a job start in another one?",
  amount: { full: 90, smoke: 1, unit: "s at most" },
  mostRounds: 1,
  limit: contender(bareSystem),
  subject: contender(millrace),
  peers: peers((system, arena) => recover(system, arena, settingOf(system)), {
    // Minutes and hours aren't waited for.
    shares: { [graphileBatched.name]: 0.05, [pgBoss.name]: 0.05 },
    without: [bullmqInMemory, graphile],
  }),
  goal: 30 / 31,
  peerGoal: 1,
};
