import { defineJob, type JobOptions } from "millrace";
import { noOp, type payloadOf, QUEUE } from "./no-op-job.ts";
import { millraceNode } from "./process.ts";
import type { Scenario } from "./scenario.ts";

const unlimited = millraceNode("without");

/** Far above what a node runs: what is measured is what keeping them costs. */
export const capped: Scenario = {
  name: "capped",
  question:
    "How many no-op jobs a second does one node run under a cap of the queue that it never reaches?",
  amount: { full: 100_000, smoke: 500 },
  limit: unlimited,
  subject: millraceNode("with a cap", { limits: { concurrency: 1_000 } }),
  goal: 0.5,
};

export const rated: Scenario = {
  name: "rated",
  question:
    "How many no-op jobs a second does one node run under a rate of the queue that it never reaches?",
  amount: { full: 100_000, smoke: 500 },
  limit: unlimited,
  subject: millraceNode("with a rate", { limits: { rate: { limit: 1_000_000, per: "1s" } } }),
  goal: 0.5,
};

/** As many tenants, whose jobs come by turns. */
const TENANTS = 100;
const tenantOf = ({ n }: { readonly n: number }): string => `tenant-${n % TENANTS}`;
type Payload = ReturnType<typeof payloadOf>;
const ruled = (
  rules: Pick<JobOptions<Payload, Payload, unknown>, "concurrency" | "rateLimit" | "unique">,
): typeof noOp => defineJob<Payload>({ name: noOp.name, queue: QUEUE, ...rules });

export const cappedByKey: Scenario = {
  name: "capped-by-key",
  question: "How many a second under a cap for each of a hundred keys that none reaches?",
  amount: { full: 50_000, smoke: 500 },
  limit: unlimited,
  subject: millraceNode("with caps", {
    job: ruled({ concurrency: { key: tenantOf, limit: 100 } }),
  }),
  goal: 0.5,
};

export const ratedByKey: Scenario = {
  name: "rated-by-key",
  question: "How many a second under a rate for each of a hundred keys that none reaches?",
  amount: { full: 50_000, smoke: 500 },
  limit: unlimited,
  subject: millraceNode("with rates", {
    job: ruled({ rateLimit: { key: tenantOf, limit: 100_000, per: "1s" } }),
  }),
  goal: 0.5,
};

/** Each has a key of its own: what is measured is what claims cost, not conflicts. */
export const unique: Scenario = {
  name: "unique",
  question:
    "How many jobs a second does one node run that hold a unique key until they have ended?",
  amount: { full: 50_000, smoke: 500 },
  limit: unlimited,
  subject: millraceNode("unique", {
    job: ruled({ unique: { key: ({ n }) => `${n}`, while: "running" } }),
  }),
  goal: 0.5,
};
