import { MillraceError } from "@millrace/core";

/** @throws MillraceError `invalid-step` */
export function requireSteps(job: string): never {
  throw new MillraceError(
    "invalid-step",
    `The job ${job} has no steps. Define it with defineJob({ steps: true, … }).`,
  );
}
