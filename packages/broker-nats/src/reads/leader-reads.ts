import { MillraceError } from "@millrace/core";
import { JetStreamApiError } from "@nats-io/jetstream";
import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { readObject } from "../wire/read-object.ts";
import { absenceOn } from "../connection/absence.ts";
import { ELECTIONS_MS, isClustered } from "../connection/retrying-requests.ts";
import { RequestWindow } from "../requests/request-window.ts";
import {
  newRequest,
  type InFlightRequest,
  RETRY,
  type ReplyMeaning,
} from "../requests/in-flight-request.ts";
import { apiCode, asMillraceError } from "../jetstream-errors.ts";
import { NO_MESSAGE, STREAM_NOT_FOUND, WITHOUT_LEADER } from "../error-codes.ts";

/** The newest message on a key's subject. */
export interface LastMessage {
  readonly sequence: number;
  readonly data: Uint8Array;
  /** It says that the key was removed or has run out, instead of a value. */
  readonly isRemoval: boolean;
  /** Epoch milliseconds by the server's clock. */
  readonly storedAt: number;
  /** The name that its writer gave the write, where the leader was asked and it has one. */
  readonly write?: string | undefined;
}

const REMOVAL = /^(?:KV-Operation|Nats-Marker-Reason):/im;
/** Names a write, so that who made it knows it again. */
export const WRITE_NAME = "Millrace-Write";
const WRITE = new RegExp(`^${WRITE_NAME}: ?(.+?)\r?$`, "im");
const GET = "$JS.API.STREAM.MSG.GET.";
const WINDOW = 1_024;
const ATTEMPT_MS = 2_000;
/** For a server that is alone; a cluster may be electing a leader. */
const TIMEOUT_MS = 5_000;

type Found = LastMessage | undefined;

/**
 * Reads many single messages at once, on one inbox. The client library's own request makes an error
 * with a stack, a timer and a subscription entry for each; with a read for each job that was a
 * quarter of a node's processor time. `DirectReads` are cheaper still, but a replica answers them,
 * which may not have seen the newest write yet.
 */
export class LeaderReads {
  readonly #window: RequestWindow<Found>;

  /**
   * @param timeoutMs how long a read may take, outages included. Default: the time of an election
   */
  constructor(
    nc: NatsConnection,
    timeoutMs = nc.info?.cluster === undefined ? TIMEOUT_MS : ELECTIONS_MS,
  ) {
    const absence = absenceOn(nc);
    this.#window = new RequestWindow<Found>(nc, {
      window: WINDOW,
      attemptTimeoutMs: ATTEMPT_MS,
      timeoutMs,
      repeatable: true,
      judge: (reply, request) => {
        const meaning = judge(reply, request);
        const isAbsent = MillraceError.is(meaning) && apiCode(meaning.cause) === STREAM_NOT_FOUND;
        const stream = request.subject.slice(GET.length);
        return isAbsent && isClustered(nc) && !absence.counts(stream) ? RETRY : meaning;
      },
      timedOut,
    });
  }

  /**
   * @returns undefined where there is no message
   * @throws MillraceError as other requests: `request-timeout`, `jetstream-failed`,
   *   `permission-denied`, `connection-closed`
   */
  last(stream: string, subject: string): Promise<Found> {
    return new Promise((resolve, reject) => {
      this.#window.send(
        newRequest({
          subject: `${GET}${stream}`,
          data: Buffer.from(JSON.stringify({ last_by_subj: subject })),
          headers: undefined,
          requester: { done: resolve, failed: reject },
        }),
      );
    });
  }

  close(): Promise<void> {
    return this.#window.close();
  }
}

interface Answer {
  readonly message?: {
    readonly seq: number;
    readonly data?: string;
    readonly hdrs?: string;
    readonly time: string;
  };
  readonly error?: { code: number; err_code: number; description: string };
}

/** Pure. Anybody may answer on the subject, with anything. */
export function judge(
  reply: Pick<Msg, "data" | "string">,
  request: Pick<InFlightRequest<Found>, "subject">,
): ReplyMeaning<Found> {
  // Nobody answers while the stream has no leader; the next attempt may find one.
  if (reply.data.length === 0) return RETRY;
  try {
    return meaningOf(reply, request);
  } catch {
    return foreignAnswer(request);
  }
}

function meaningOf(
  reply: Pick<Msg, "string">,
  { subject }: Pick<InFlightRequest<Found>, "subject">,
): ReplyMeaning<Found> {
  const { message, error }: Answer = readObject(reply.string()) ?? {};
  if (error?.err_code === NO_MESSAGE) return undefined;
  if (WITHOUT_LEADER.has(error?.err_code ?? 0)) return RETRY;
  if (error !== undefined)
    return asMillraceError(new JetStreamApiError(error), `read from ${subject}`);
  if (message === undefined) return foreignAnswer({ subject });
  const headers = Buffer.from(message.hdrs ?? "", "base64").toString("latin1");
  return {
    sequence: message.seq,
    data: Buffer.from(message.data ?? "", "base64"),
    isRemoval: REMOVAL.test(headers),
    write: WRITE.exec(headers)?.[1],
    storedAt: Date.parse(message.time),
  };
}

function foreignAnswer({ subject }: Pick<InFlightRequest<Found>, "subject">): MillraceError {
  return new MillraceError(
    "jetstream-failed",
    `The answer of ${subject} has neither a message nor an error. Something else answers on this subject.`,
  );
}

function timedOut({ subject }: InFlightRequest<Found>): MillraceError {
  return new MillraceError(
    "request-timeout",
    `Could not read from ${subject}: the server did not answer in time. Try again.`,
  );
}
