import { fillOneByOne, IN_FLIGHT } from "../systems/fill.ts";
import { millrace } from "../systems/millrace.ts";
import {
  bullmq,
  bullmqInMemory,
  graphile,
  graphileBatched,
  peers,
  pgBoss,
} from "../systems/peers.ts";
import { bareEnqueue } from "./bare-enqueue.ts";
import type { Scenario } from "./scenario.ts";

export const enqueueSingle: Scenario = {
  name: "enqueue-single",
  question: "How many jobs a second can one process enqueue by a call each, 64 on their way?",
  amount: { full: 50_000, smoke: 400, disk: 10_000 },
  // As many messages on their way as the others have calls.
  limit: bareEnqueue(IN_FLIGHT),
  subject: { name: "Millrace enqueue", run: (arena) => fillOneByOne(millrace, arena) },
  peers: peers(fillOneByOne, {
    shares: {
      [bullmq.name]: 0.5,
      [bullmqInMemory.name]: 0.5,
      [graphile.name]: 0.1,
      [pgBoss.name]: 0.05,
    },
    without: [graphileBatched],
  }),
  goal: 0.5,
  peerGoal: 4,
};
