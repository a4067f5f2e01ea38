import { cancelScenario } from "./cancel.ts";
import { delayed } from "./delayed.ts";
import { enqueueBulk } from "./enqueue-bulk.ts";
import { enqueueSingle } from "./enqueue-single.ts";
import { capped, cappedByKey, rated, ratedByKey, unique } from "./limits.ts";
import { openLoop, openLoopCommon } from "./open-loop.ts";
import { pickup } from "./pickup.ts";
import { processJobs } from "./process.ts";
import { recorded } from "./recorded.ts";
import { recovery } from "./recovery.ts";
import { traced } from "./traced.ts";
import type { Scenario } from "./scenario.ts";

export const SCENARIOS: readonly Scenario[] = [
  enqueueBulk,
  enqueueSingle,
  processJobs,
  pickup,
  openLoop,
  openLoopCommon,
  delayed,
  cancelScenario,
  recovery,
  capped,
  rated,
  cappedByKey,
  ratedByKey,
  unique,
  traced,
  recorded,
];
