import { MillraceError } from "../errors.ts";
import type { InFlightRequest } from "../requests/in-flight-request.ts";
import type { PubAck } from "./pub-ack.ts";

/** How many of the copies nothing was said of. */
export function unansweredOf({ sends, unheard, refused }: InFlightRequest<PubAck>): number {
  return sends - unheard - refused;
}

/** What the server may say of one copy although it has stored another. */
const OF_ONE_COPY: ReadonlySet<string> = new Set([
  ...["queue-full", "payload-too-large", "broker-unavailable", "jetstream-disabled"],
]);

/**
 * What the refusal of the newest copy means. A server knows the copies before it again, unless it
 * was killed since, and then a full queue has room for none.
 */
export function refusalOf(said: MillraceError, request: InFlightRequest<PubAck>): MillraceError {
  return OF_ONE_COPY.has(said.code) ? unlessStored(said, request, unansweredOf(request) - 1) : said;
}

/**
 * What is said of the newest copy.
 *
 * @param unanswered copies before it, of which each may be stored
 */
export function unlessStored(
  said: MillraceError,
  { subject, sends }: InFlightRequest<PubAck>,
  unanswered: number,
): MillraceError {
  if (unanswered === 0) return said;
  return new MillraceError(
    "publish-timeout",
    `The message on ${subject} was sent ${sends} times, and of the last one it is said: ${said.message} Nobody answered an earlier one, so it may or may not be stored. Repeat it with the same id.`,
    { cause: said },
  );
}

/** No answer can be heard any more: of what was sent the server may have stored each copy. */
export function unlessUnheard(
  denied: MillraceError,
  request: InFlightRequest<PubAck>,
): MillraceError {
  if (unansweredOf(request) === 0) return denied;
  return new MillraceError(
    "publish-timeout",
    `The message on ${request.subject} was sent, and its answer can't be heard: ${denied.message} It may or may not be stored. Repeat it with the same id.`,
    { cause: denied },
  );
}

export function queueNotFound(subject: string): MillraceError {
  return new MillraceError(
    "queue-not-found",
    `No stream takes ${subject}: there is no such queue. Create it (millrace queues create, or queues.ensure() in code; a node that serves it does too), or correct its name or the namespace.`,
  );
}

export function jetStreamGone(): MillraceError {
  return new MillraceError(
    "jetstream-disabled",
    "JetStream doesn't answer on this NATS server. Start it with -js, and look at its log: a full disk disables JetStream.",
  );
}

export function publishTimeout(
  { sends, subject }: InFlightRequest<PubAck>,
  isDown: boolean,
): MillraceError {
  const fate = sends === 0 ? "was never sent" : "may or may not be stored";
  const why = isDown ? " There is no connection to the server at the moment." : "";
  return new MillraceError(
    "publish-timeout",
    `No acknowledgement for the message on ${subject} before the deadline: it ${fate}.${why} Repeat it with the same id.`,
  );
}
