import {
  type Msg,
  type NatsConnection,
  RequestError,
  type RequestOptions,
  TimeoutError,
} from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";
import { sleep } from "../machine/timers.ts";
import { AnswerLostError, onOneLine } from "./one-line.ts";
import { withMethods } from "./with-methods.ts";

/**
 * How long a cluster is asked again. An election takes 4 to 9 s after the leader's last sign of
 * life; this lasts for two of them, the cluster's own and a stream's.
 */
export const ELECTIONS_MS = 25_000;
/**
 * How long the first question waits for its answer; each further one twice as long, up to what its
 * asker allows.
 */
const FIRST_ANSWER_MS = 1_500;
/** Between two questions where the answer came at once. */
const PAUSE_MS = 250;

/** The client's own. */
const DEFAULT_ANSWER_MS = 1_000;

const API = "$JS.API.";

/**
 * What JetStream says while a leader is missing, or a member that a new stream needs for its
 * copies: incomplete results, no suitable peers, not active, not available, not leader, stream
 * offline, consumer offline.
 */
export const WITHOUT_LEADER: ReadonlySet<number> = new Set([
  10004, 10005, 10006, 10008, 10009, 10118, 10119,
]);
/** Longer answers are results. */
const LONGEST_ERROR = 1_024;

export interface RequestRetries {
  readonly patienceMs?: number;
  readonly pauseMs?: number;
}

/**
 * The same connection for those who administer. A request to JetStream's API whose answer was lost
 * with the line is made again when the line is back; what else was asked ends then, as `onOneLine`
 * has it. In a cluster, one that meets a missing leader is made again until there is one, and so
 * is a flush that a reconnect cuts short. Such requests are idempotent, or their callers take "not
 * there" for done. Made once a connection, while it is there: what it knows of its server stays
 * true when the server is lost.
 */
export function retryingRequests(
  nc: NatsConnection,
  patience: RequestRetries = {},
): NatsConnection {
  const { patienceMs = ELECTIONS_MS, pauseMs = PAUSE_MS } = patience;
  const { clock } = machineOf(nc);
  let clustered = isClustered(nc);
  /** While the connection is away, what its last server was counts. */
  const isOfCluster = (): boolean => {
    if (nc.info !== undefined) clustered = isClustered(nc);
    return clustered;
  };

  const line = onOneLine(nc);
  const request = async (
    subject: string,
    payload?: Parameters<NatsConnection["request"]>[1],
    options?: RequestOptions,
  ): Promise<Msg> => {
    if (!subject.startsWith(API)) return line.request(subject, payload, options);
    const timeout = options?.timeout ?? DEFAULT_ANSWER_MS;
    const deadline = clock.monotonic() + patienceMs;
    for (let answerMs = FIRST_ANSWER_MS; ; answerMs *= 2) {
      const isInTime = clock.monotonic() < deadline;
      const again = isInTime && isOfCluster();
      try {
        const waits = { ...options, timeout: again ? Math.min(timeout, answerMs) : timeout };
        const reply = await line.request(subject, payload, waits);
        if (!again || !isPassing(reply)) return reply;
      } catch (error) {
        if (isInTime && error instanceof AnswerLostError) continue;
        if (!again || !(error instanceof TimeoutError) || nc.isClosed()) throw error;
      }
      await sleep(clock, pauseMs);
    }
  };
  const flush = async (): Promise<void> => {
    for (const deadline = clock.monotonic() + patienceMs; ;) {
      try {
        return await nc.flush();
      } catch (error) {
        const cutShort = error instanceof RequestError && isOfCluster() && !nc.isClosed();
        if (!cutShort || clock.monotonic() > deadline) throw error;
      }
      await sleep(clock, pauseMs);
    }
  };

  return withMethods(nc, { request, flush });
}

/** Whether the server is a member of a cluster; false while the connection is away. */
export function isClustered({ info }: NatsConnection): boolean {
  return info?.cluster !== undefined;
}

function isPassing(reply: Msg): boolean {
  if (reply.data.length === 0 || reply.data.length > LONGEST_ERROR) return false;
  const text = reply.string();
  if (!text.includes('"error"')) return false;
  try {
    const { error } = JSON.parse(text) as { error?: { err_code?: number } };
    return WITHOUT_LEADER.has(error?.err_code ?? 0);
  } catch {
    return false;
  }
}
