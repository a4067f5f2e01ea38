import { MillraceError } from "../errors/millrace-error.ts";
import { trimError } from "../errors/recorded-error.ts";
import type { Envelope } from "./envelope.ts";
import { AS_IT_IS } from "./body.ts";
import type { EncodeRules } from "./sendable.ts";
import { writeEnvelope } from "./write-envelope.ts";

/**
 * An envelope's msgpack bytes for a requeue. The errors it carries are for people; where they would
 * push it over the limit they are shortened, and then left out, before the job itself is refused.
 *
 * @param rules what it may hold; left out for a job that was read before
 * @throws MillraceError `payload-too-large` where it doesn't fit even without them;
 *   `unserializable-payload`
 */
export function writeFittingEnvelope(
  envelope: Envelope,
  maxBytes: number,
  rules: EncodeRules = AS_IT_IS,
): Uint8Array {
  const whole = writeEnvelope(envelope, "msgpack", rules);
  if (whole.length <= maxBytes) return whole;
  const { firstError, lastError, ...bare } = envelope;
  const trimmed = writeEnvelope({
    ...bare,
    ...(firstError === undefined ? {} : { firstError: trimError(firstError) }),
    ...(lastError === undefined ? {} : { lastError: trimError(lastError) }),
  });
  if (trimmed.length <= maxBytes) return trimmed;
  const smallest = writeEnvelope(bare);
  if (smallest.length <= maxBytes) return smallest;
  throw new MillraceError(
    "payload-too-large",
    `The job takes ${smallest.length} bytes and the server lets ${maxBytes} through. Send a reference to the data instead of the data.`,
  );
}
