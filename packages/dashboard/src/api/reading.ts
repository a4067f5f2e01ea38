import type { ShowValue } from "@millrace/telemetry/masking";
import type { Fleet } from "../fleet/fleet.ts";

/** What the API's questions are answered from. */
export interface Reading {
  readonly fleet: Fleet;
  readonly show: ShowValue;
  readonly now: () => number;
}
