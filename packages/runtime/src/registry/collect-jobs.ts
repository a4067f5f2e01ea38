import { type AnyJob, isJob } from "@millrace/core";

/** The jobs among a module's exports, named or default; a list of jobs counts too. */
export function collectJobs(exports: object): readonly AnyJob[] {
  const found = new Map<string, AnyJob>();
  for (const value of Object.values(exports).flat()) {
    if (isJob(value)) found.set(value.name, value);
  }
  return [...found.values()];
}
