import {
  type MessagePublisher,
  type MessageResult,
  MillraceError,
  type OutgoingMessage,
  requireSubject,
} from "@millrace/core";
import type { ConfirmedPublisher } from "./confirmed-publisher.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { encodeHeaders } from "../wire/headers.ts";
import { announce } from "./announce.ts";

/** A message as it goes out, or why it never can. */
type Made =
  | { readonly ok: true; readonly subject: string; readonly headers: Uint8Array }
  | { readonly ok: false; readonly error: MillraceError };

const SENT = { ok: true, duplicate: false } as const;

/** Messages to streams of others, and to whoever listens. */
export class NatsMessages implements MessagePublisher {
  readonly #server: ServerAccess;
  readonly #publisher: ConfirmedPublisher;

  constructor(server: ServerAccess, publisher: ConfirmedPublisher) {
    this.#server = server;
    this.#publisher = publisher;
  }

  async publish(messages: readonly OutgoingMessage[]): Promise<readonly MessageResult[]> {
    const results: MessageResult[] = Array.from({ length: messages.length }, () => SENT);
    const made = messages.map((message) => this.#made(message));
    const going = (stored: boolean) =>
      messages.flatMap((message, place) => {
        const one = made[place];
        if (one?.ok !== true || message.stored !== stored) return [];
        return [{ place, subject: one.subject, data: message.data, headers: one.headers }];
      });
    for (const [place, one] of made.entries()) if (!one.ok) results[place] = one;
    const toStore = going(true);
    const outcomes = await this.#publisher.publishMany(toStore);
    for (const [index, outcome] of outcomes.entries()) {
      const { place, subject } = toStore[index] as (typeof toStore)[number];
      results[place] =
        outcome.kind === "stored"
          ? { ok: true, duplicate: outcome.ack.duplicate }
          : { ok: false, error: inOwnWords(outcome.error, subject) };
    }
    const toAnnounce = going(false);
    const failures = await announce(this.#server.nc, toAnnounce);
    for (const [index, { place }] of toAnnounce.entries()) {
      const error = failures[index];
      if (error !== undefined) results[place] = { ok: false, error };
    }
    return results;
  }

  #made({ id, subject, data, headers, stored }: OutgoingMessage): Made {
    try {
      requireSubject(subject);
      if (subject.startsWith(`${this.#server.names.namespace}.`))
        throw new MillraceError(
          "invalid-name",
          `The subject ${subject} is Millrace's own in this namespace: a job is enqueued, not published.`,
        );
      const encoded = encodeHeaders({ ...headers, "Nats-Msg-Id": id });
      const size = encoded.length + data.length;
      const most = this.#server.nc.info?.max_payload ?? Number.POSITIVE_INFINITY;
      if (size <= most) return { ok: true, subject, headers: encoded };
      const kind = stored ? "to be stored" : "for listeners";
      throw new MillraceError(
        "payload-too-large",
        `The message ${kind} on ${subject} takes ${size} bytes with its headers; the server's max_payload is ${most}. Send a reference to the data instead, or raise max_payload.`,
      );
    } catch (error) {
      if (MillraceError.is(error)) return { ok: false, error };
      throw error;
    }
  }
}

/** Where no stream takes a subject, the publisher speaks of a queue. */
function inOwnWords(error: MillraceError, subject: string): MillraceError {
  if (error.code !== "queue-not-found") return error;
  return new MillraceError(
    "stream-not-found",
    `No stream takes ${subject}. Create one that does, or let this connection's account import it; or publish with { stored: false } for whoever listens.`,
    { cause: error },
  );
}
