import type { StreamConfig } from "@nats-io/jetstream";
import { fail, type Finding } from "./finding.ts";

/** Nothing of a job may be kept in memory alone. */
export function judgeMemory(check: string, { name, storage }: StreamConfig): readonly Finding[] {
  if (storage !== "memory") return [];
  return [
    fail(
      check,
      "is kept in memory",
      `Make it anew on files: a restart of the server loses all that is in ${name}. A stream's storage can't be changed.`,
    ),
  ];
}
