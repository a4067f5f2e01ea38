import type { Msg } from "@nats-io/nats-core";
import { readStatus } from "./read-headers.ts";

const NO_RESPONDERS = 503;

/** Whether the server says of a request that nobody hears it. */
export function isNoResponders(msg: Msg): boolean {
  return msg.data.length === 0 && readStatus(msg).code === NO_RESPONDERS;
}
