import type { Broker } from "../broker/broker.ts";
import type { EnqueueResult } from "../broker/enqueue-call.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { unanswered } from "./enqueue-many.ts";

/**
 * Publishes an envelope as it is: for those that need no input checked and no key claimed.
 *
 * @param isKeyed whether its id is the key of what is to be done once
 * @throws MillraceError whatever keeps the job from being stored
 */
export async function enqueueOne(
  broker: Pick<Broker, "enqueue">,
  envelope: Envelope,
  isKeyed = false,
): Promise<Extract<EnqueueResult, { readonly ok: true }>> {
  const keys = new Set(isKeyed ? [envelope.id] : []);
  const [result] = await broker.enqueue([envelope], { keys });
  if (result === undefined) throw unanswered(envelope.id);
  if (!result.ok) throw result.error;
  return result;
}
