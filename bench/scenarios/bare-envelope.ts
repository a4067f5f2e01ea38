import { UNSETTLED, writeEnvelope } from "@millrace/core";
import { noOp, payloadOf, QUEUE } from "./no-op-job.ts";

/** The bytes that Millrace would send for one job, made once. */
export function envelopeBytes(): Uint8Array {
  return writeEnvelope({
    ...UNSETTLED,
    id: "01a20e0e-74bc-70e7-a152-e59b21d1a561",
    name: noOp.name,
    queue: QUEUE,
    payload: payloadOf(1_000),
    createdAt: Date.now(),
    headers: {},
  });
}

/** As long as an id of Millrace. */
export function messageIdOf(index: number): string {
  return `01a20e0e-74bc-70e7-a152-${index.toString(16).padStart(12, "0")}`;
}
