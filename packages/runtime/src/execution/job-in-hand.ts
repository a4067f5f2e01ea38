import type { Delivery, Envelope } from "@millrace/core";
import type { AbortSwitch } from "./attempt/abort-switch.ts";
import type { ExecutionHost } from "./execution-host.ts";

/** A job whose message was read, on its way through a node: its execution, as each step sees it. */
export interface JobInHand {
  readonly host: ExecutionHost;
  readonly delivery: Delivery;
  readonly envelope: Envelope;
  readonly abort: AbortSwitch;
}
