import { type AnyJob, isJob } from "@millrace/core";

/**
 * The jobs among a module's exports, named or default; a list of jobs counts too. One that is
 * exported twice comes once.
 */
export function collectJobs(exports: object): readonly AnyJob[] {
  return [...new Set(Object.values(exports).flat().filter(isJob))];
}
