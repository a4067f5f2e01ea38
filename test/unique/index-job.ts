import { defineJob, type JobDefinition } from "@millrace/core";

/** What the tests' job is asked to do. */
export interface Update {
  readonly doc: string;
  readonly version: number;
  readonly end?: "succeed" | "fail" | "cancel";
}

export const QUEUE = "index";

type Rule = NonNullable<Parameters<typeof defineJob<Update>>[0]["unique"]>;

/** The job by this rule, the same in every process. */
export function indexJob(rule: Omit<Rule, "key"> = {}): JobDefinition<Update> {
  return defineJob<Update>({
    name: "index",
    queue: QUEUE,
    retry: "none",
    unique: { key: ({ doc }) => doc, ...rule },
  });
}

/** A rule as a program's argument. */
export type RuleName = "pending" | "running" | "replace";

export const RULES: Readonly<Record<RuleName, Omit<Rule, "key">>> = {
  pending: { while: "pending" },
  running: { while: "running" },
  replace: { onConflict: "replace" },
};
