import type { JobState } from "../../client/jobs/job-status.ts";

/** The same colour for the same state everywhere. */
export function stateColour(state: JobState | "requeued"): "green" | "red" | "yellow" | "cyan" {
  switch (state) {
    case "succeeded":
      return "green";
    case "dead":
    case "expired":
      return "red";
    case "running":
      return "cyan";
    default:
      return "yellow";
  }
}
