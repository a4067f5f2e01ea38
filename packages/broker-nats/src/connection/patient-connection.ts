import {
  type Msg,
  type NatsConnection,
  RequestError,
  type RequestOptions,
  TimeoutError,
} from "@nats-io/nats-core";
import { watchConnection } from "./connection-events.ts";
import { machineOf } from "../machine/machine.ts";
import { sleep } from "../machine/timers.ts";

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

export interface Patience {
  readonly patienceMs?: number;
  readonly pauseMs?: number;
}

/**
 * The same connection for those who administer. A request to JetStream's API whose answer was lost
 * with the line is made again when the line is back: the client would wait for it until its
 * timeout. In a cluster, one that meets a missing leader is made again until there is one, and so
 * is a flush that a reconnect cuts short. Such requests are idempotent, or their callers take "not
 * there" for done. Made once a connection, while it is there: what it knows of its server stays
 * true when the server is lost.
 */
export function patientConnection(nc: NatsConnection, patience: Patience = {}): NatsConnection {
  const { patienceMs = ELECTIONS_MS, pauseMs = PAUSE_MS } = patience;
  const { clock } = machineOf(nc);
  let clustered = isClustered(nc);
  /** While the connection is away, what its last server was counts. */
  const isOfCluster = (): boolean => {
    if (nc.info !== undefined) clustered = isClustered(nc);
    return clustered;
  };

  /** Those who wait for an answer that only the connection of their question can bring. */
  const waiting = new Set<() => void>();
  watchConnection(nc, ({ type }) => {
    if (type === "reconnect") for (const lose of [...waiting]) lose();
  });
  /** @returns undefined where the line was lost meanwhile, and is back */
  const ask = async (
    ...question: Parameters<NatsConnection["request"]>
  ): Promise<Msg | undefined> => {
    const lost = Promise.withResolvers<undefined>();
    const lose = (): void => lost.resolve(undefined);
    waiting.add(lose);
    try {
      const answer = nc.request(...question);
      answer.catch(() => "nobody may wait for it any more");
      return await Promise.race([answer, lost.promise]);
    } finally {
      waiting.delete(lose);
    }
  };

  const request = async (
    subject: string,
    payload?: Parameters<NatsConnection["request"]>[1],
    options?: RequestOptions,
  ): Promise<Msg> => {
    if (!subject.startsWith(API)) return nc.request(subject, payload, options);
    const timeout = options?.timeout ?? DEFAULT_ANSWER_MS;
    const deadline = clock.monotonic() + patienceMs;
    for (let answerMs = FIRST_ANSWER_MS; ; answerMs *= 2) {
      const isInTime = clock.monotonic() < deadline;
      const again = isInTime && isOfCluster();
      try {
        const waits = { ...options, timeout: again ? Math.min(timeout, answerMs) : timeout };
        const reply = isInTime
          ? await ask(subject, payload, waits)
          : await nc.request(subject, payload, waits);
        if (reply === undefined) continue;
        if (!again || !isPassing(reply)) return reply;
      } catch (error) {
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

  return new Proxy(nc, {
    get(target, key) {
      if (key === "request") return request;
      if (key === "flush") return flush;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
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
