import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { MillraceError } from "@millrace/core";
import { RequestWindow } from "../requests/request-window.ts";
import {
  newRequest,
  type InFlightRequest,
  type ReplyMeaning,
} from "../requests/in-flight-request.ts";
import { readAppended, readStatus } from "../wire/read-headers.ts";
import type { LastMessage } from "./leader-reads.ts";

/** Nobody answers direct gets here: ask the leader. */
export const ASK_LEADER: unique symbol = Symbol("ask the leader");

type Found = LastMessage | undefined | typeof ASK_LEADER;

const NOT_FOUND = 404;
const WINDOW = 1_024;
const ATTEMPT_MS = 1_000;
/** The leader is asked afterwards, which may take its own time. */
const TIMEOUT_MS = 2_000;
const NOTHING = new Uint8Array(0);
const PLACE = ["Nats-Sequence", "Nats-Time-Stamp"];

/**
 * Reads single messages by direct gets: a fifth of the server's work, as it writes no JSON and asks
 * nobody. Any member with a copy of the stream answers. Only a member with the only copy surely
 * knows of the newest write.
 */
export class DirectReads {
  readonly #nc: NatsConnection;
  #window: RequestWindow<Found> | undefined;

  constructor(nc: NatsConnection) {
    this.#nc = nc;
  }

  /** Fails in nothing: where it can't be read so, the leader's reads say why. */
  last(stream: string, subject: string): Promise<Found> {
    this.#window ??= new RequestWindow<Found>(this.#nc, {
      window: WINDOW,
      attemptTimeoutMs: ATTEMPT_MS,
      timeoutMs: TIMEOUT_MS,
      repeatable: true,
      judge,
      timedOut,
    });
    const window = this.#window;
    return new Promise((resolve) => {
      window.send(
        newRequest<Found>({
          // The form without a body: the server has no JSON to read.
          subject: `$JS.API.DIRECT.GET.${stream}.${subject}`,
          data: NOTHING,
          headers: undefined,
          requester: { done: resolve, failed: () => resolve(ASK_LEADER) },
        }),
      );
    });
  }

  async close(): Promise<void> {
    await this.#window?.close();
  }
}

function judge(reply: Msg): ReplyMeaning<Found> {
  const isEmpty = reply.data.length === 0;
  const status = isEmpty ? readStatus(reply).code : 0;
  if (status !== 0) return status === NOT_FOUND ? undefined : ASK_LEADER;
  const [sequence, storedAt] = readAppended(reply, PLACE);
  if (sequence === undefined || storedAt === undefined) return ASK_LEADER;
  return {
    sequence: Number(sequence),
    data: reply.data,
    // What removes a value has none itself.
    isRemoval: isEmpty,
    storedAt: Date.parse(storedAt),
  };
}

function timedOut({ subject }: InFlightRequest<Found>): MillraceError {
  return new MillraceError("request-timeout", `Could not read from ${subject} in time.`);
}
