import { callerHeader, travellingHeaders } from "@millrace/core";
import type { ReceivedHeaders } from "../wire/read-headers.ts";

/**
 * A due job's headers on its queue: its own, its content type, who waits for its end, and the id
 * under which a second forward is a duplicate.
 */
export function forwardHeaders(
  headers: ReceivedHeaders,
  messageId: string,
): Record<string, string> {
  const contentType = headers["content-type"];
  return {
    ...travellingHeaders(headers),
    ...callerHeader(headers),
    "Nats-Msg-Id": messageId,
    ...(contentType === undefined ? {} : { "Content-Type": contentType }),
  };
}
