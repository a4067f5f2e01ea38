import { bareSystem } from "../bare/bare-system.ts";
import { millrace } from "../systems/millrace.ts";
import { atHalfCapacity, atRate } from "../systems/open-loop.ts";
import { peers } from "../systems/peers.ts";
import type { Scenario } from "./scenario.ts";

/** Below the half of what the slowest of them takes. */
const COMMON_RATE = 200;
const SECONDS = { full: 5, smoke: 1, unit: "s" };
const atCommonRate = atRate(COMMON_RATE);

export const openLoop: Scenario = {
  name: "open-loop",
  question:
    "How long from a job's due time to its handler's start, at half of what the system takes by single calls?",
  amount: SECONDS,
  limit: { name: bareSystem.name, run: (arena) => atHalfCapacity(bareSystem, arena) },
  subject: { name: millrace.name, run: (arena) => atHalfCapacity(millrace, arena) },
  peers: peers(atHalfCapacity),
  goal: 0.5,
  peerGoal: 1,
};

export const openLoopCommon: Scenario = {
  name: "open-loop-common",
  question: `The same at ${COMMON_RATE} jobs a second for all`,
  amount: SECONDS,
  limit: { name: bareSystem.name, run: (arena) => atCommonRate(bareSystem, arena) },
  subject: { name: millrace.name, run: (arena) => atCommonRate(millrace, arena) },
  peers: peers(atCommonRate),
  goal: 0.5,
  peerGoal: 1,
};
