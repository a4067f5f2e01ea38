import { millraceNode } from "./process.ts";
import type { Scenario } from "./scenario.ts";

const unlimited = millraceNode("without");

/** Far above what a node runs: what is measured is what keeping them costs. */
export const capped: Scenario = {
  name: "capped",
  question:
    "How many no-op jobs a second does one node run under a cap of the queue that it never reaches?",
  amount: { full: 100_000, smoke: 3_000 },
  contenders: [unlimited, millraceNode("with a cap", { concurrency: 1_000 })],
  goal: 0.5,
};

export const rated: Scenario = {
  name: "rated",
  question:
    "How many no-op jobs a second does one node run under a rate of the queue that it never reaches?",
  amount: { full: 100_000, smoke: 3_000 },
  contenders: [unlimited, millraceNode("with a rate", { rate: { limit: 1_000_000, per: "1s" } })],
  goal: 0.5,
};
