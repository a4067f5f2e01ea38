import { decodeBody, payloadInBody } from "../envelope/body.ts";
import { isBody } from "../envelope/envelope-fields.ts";
import type { SettlementInput } from "./settlement.ts";

/**
 * The payload as it stands in the message. What was read of it when the job came is the handler's
 * to change, and a change is not to become what the next run or another job is given. Read only
 * where a handler may have had it and something goes on with it, or an execution log is told of it,
 * so that a success of a node without one pays nothing, and who hands back jobs that never ran does
 * not hold each of them twice.
 */
export function storedPayload({
  from,
  envelope,
  message: { body, headers },
}: Pick<SettlementInput, "from" | "envelope" | "message">): unknown {
  if (from !== "running") return envelope.payload;
  try {
    // It was let in when it was read first.
    const read = decodeBody(body, headers["content-type"], Number.POSITIVE_INFINITY);
    if (isBody(read) && Object.hasOwn(read, "payload")) return read["payload"];
  } catch {
    // Nor could it be read then: nothing was handed out.
  }
  return envelope.payload;
}

/**
 * The same for the next message of the job. It is the bytes of it that are held: whoever retries
 * many large ones at once would have each of them in memory a second time until it is published.
 */
export function nextPayload(input: Parameters<typeof storedPayload>[0]): unknown {
  const { from, envelope, message } = input;
  if (from !== "running" || typeof envelope.payload !== "object" || envelope.payload === null)
    return envelope.payload;
  try {
    const held = payloadInBody(message.body, message.headers["content-type"]);
    if (held !== undefined) return held;
  } catch {
    // Nor can it be read.
  }
  return storedPayload(input);
}
