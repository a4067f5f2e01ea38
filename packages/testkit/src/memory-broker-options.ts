import { type Clock, optionNames, refuseUnknown, requireCount, systemClock } from "@millrace/core";
import { MemoryServer } from "./memory/memory-server.ts";

/** What a broker in memory shares with others, and its clock. */
export interface MemoryBrokerOptions {
  /** Default: the system's clock. */
  readonly clock?: Clock;
  /** To let several brokers, as of several nodes, share queues. Default: one of its own. */
  readonly server?: MemoryServer;
  readonly maxMessageBytes?: number;
}

const NAMES = optionNames<MemoryBrokerOptions>({
  ...{ clock: true, server: true, maxMessageBytes: true },
});
/** A NATS server's default of 1 MiB, less room for a dead letter's and a requeue's own headers. */
const MAX_MESSAGE_BYTES = 1_048_576 - 8_192 - 1_024;
/** What the server takes beyond what a producer may send, of that room. */
export const SERVER_ROOM_BYTES: number = 8_192 + 1_024;

/** @throws MillraceError `invalid-option` */
export function memoryBrokerOptions(
  options: MemoryBrokerOptions,
): Required<Pick<MemoryBrokerOptions, "server" | "maxMessageBytes">> {
  refuseUnknown(options, NAMES, "MemoryBroker");
  const { clock = systemClock, maxMessageBytes = MAX_MESSAGE_BYTES } = options;
  return {
    server: options.server ?? new MemoryServer(clock),
    maxMessageBytes: requireCount(maxMessageBytes, "maxMessageBytes"),
  };
}
