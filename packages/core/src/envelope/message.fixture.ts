import type { QueueMessage } from "./message.ts";

/** A message for tests, with what matters to the test put over it. */
export function messageOf(
  body: Uint8Array | string,
  more: Partial<QueueMessage> = {},
): QueueMessage {
  return {
    queue: "mail",
    origin: "producer",
    headers: {},
    sequence: 7,
    storedAt: 1_700_000_000_500,
    ...more,
    body: typeof body === "string" ? new TextEncoder().encode(body) : body,
  };
}
