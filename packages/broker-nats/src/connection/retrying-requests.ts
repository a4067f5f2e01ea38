import { type Clock, withOwn } from "@millrace/core";
import {
  type Msg,
  type NatsConnection,
  RequestError,
  type RequestOptions,
  TimeoutError,
} from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";
import { sleep } from "../machine/timers.ts";
import { STREAM_NOT_FOUND, WITHOUT_LEADER } from "../error-codes.ts";
import { absenceOn } from "./absence.ts";
import { leadersWord } from "./leaders-word.ts";
import { AnswerLostError, onOneLine } from "./one-line.ts";

/**
 * How long a cluster is asked again. An election takes 4 to 9 s after the leader's last sign of
 * life; this lasts for two of them, the cluster's own and a stream's.
 */
export const ELECTIONS_MS = 25_000;
/**
 * How long the first question waits for its answer. Each further one that may change something
 * waits twice as long, up to what its asker allows: no two of them are under way at once.
 */
const FIRST_ANSWER_MS = 1_500;
/** Reads are asked again after this share of the time that has passed. */
const SHARE_OF_WAIT = 0.25;
/** Between two questions where the answer came at once. */
const PAUSE_MS = 250;

/** The client's own. */
const DEFAULT_ANSWER_MS = 1_000;

const API = "$JS.API.";
/** What changes nothing: heard twice or late, it does no harm. */
const READS =
  /^\$JS\.API\.(?:INFO$|DIRECT\.GET\.|STREAM\.(?:INFO|LIST|NAMES|MSG\.GET)\b|CONSUMER\.(?:INFO|LIST|NAMES)\b)/;

const STREAM = /^\$JS\.API\.(?:STREAM\.(?:MSG\.)?[A-Z]+|CONSUMER\.(?:DURABLE\.)?[A-Z]+)\.([^.]+)/;
/** Longer answers are results. */
const LONGEST_ERROR = 1_024;

export interface RequestRetries {
  readonly patienceMs?: number;
  readonly pauseMs?: number;
  readonly firstAnswerMs?: number;
}

/**
 * The same connection for those who administer. A request to JetStream's API whose answer was lost
 * with the line is made again when the line is back; what else was asked ends then, as `onOneLine`
 * has it. In a cluster, one that meets a missing leader is made again until there is one, and so
 * is a flush that a reconnect cuts short. Such requests are idempotent, or their callers take "not
 * there" for done. While a read waits, it is asked again and the first answer counts, so a new
 * leader is found soon, and a slow one is not lost. In a cluster, what another member than its
 * leader says of a stream is no answer, and that there is no such stream is one only once it is
 * said again (`Absence`). Made once a connection, while it is there: what it knows of its server
 * stays true when the server is lost.
 */
export function retryingRequests(
  nc: NatsConnection,
  patience: RequestRetries = {},
): NatsConnection {
  const {
    patienceMs = ELECTIONS_MS,
    pauseMs = PAUSE_MS,
    firstAnswerMs = FIRST_ANSWER_MS,
  } = patience;
  const { clock } = machineOf(nc);
  let clustered = isClustered(nc);
  /** While the connection is away, what its last server was counts. */
  const isOfCluster = (): boolean => {
    if (nc.info !== undefined) clustered = isClustered(nc);
    return clustered;
  };

  const isLeadersWord = leadersWord(clock);
  const absence = absenceOn(nc);
  const isLasting = (subject: string, code: number | undefined): boolean =>
    code === STREAM_NOT_FOUND
      ? absence.counts(STREAM.exec(subject)?.[1] ?? "")
      : !WITHOUT_LEADER.has(code ?? 0);
  const line = onOneLine(nc);
  const request = async (
    subject: string,
    payload?: Parameters<NatsConnection["request"]>[1],
    options?: RequestOptions,
  ): Promise<Msg> => {
    if (!subject.startsWith(API)) return line.request(subject, payload, options);
    const timeout = options?.timeout ?? DEFAULT_ANSWER_MS;
    const begun = clock.monotonic();
    const ask = (answerMs: number): Promise<Msg> =>
      line.request(subject, payload, { ...options, timeout: Math.min(timeout, answerMs) });
    const isPassing = (reply: Msg): boolean =>
      isOfCluster() && !(isLasting(subject, errorIn(reply)) && isLeadersWord(subject, reply));
    const read = READS.test(subject) ? firstAnswer(clock, isPassing) : undefined;
    for (let answerMs = firstAnswerMs; ; answerMs *= 2) {
      const passedMs = clock.monotonic() - begun;
      const isInTime = passedMs < patienceMs;
      const again = isInTime && isOfCluster();
      const nextMs = Math.max(firstAnswerMs, passedMs * SHARE_OF_WAIT);
      try {
        const reply =
          read === undefined
            ? await ask(again ? answerMs : timeout)
            : await read(ask(timeout), again ? nextMs : undefined);
        if (!isPassing(reply)) return reply;
        if (!again) return refusalIn(reply);
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

  return withOwn(nc, { request, flush });
}

/**
 * Waits for the answer to a question, or to one that was asked before it.
 * @returns what asks: it throws a `TimeoutError` where the next question is due first
 */
function firstAnswer(clock: Clock, isPassing: (reply: Msg) => boolean) {
  const answered = Promise.withResolvers<Msg>();
  return async (question: Promise<Msg>, nextMs: number | undefined): Promise<Msg> => {
    question.then(
      (reply) => {
        if (!isPassing(reply)) answered.resolve(reply);
      },
      () => "who waits for this question is told, or nobody waits any more",
    );
    const due = Promise.withResolvers<never>();
    const timer =
      nextMs === undefined
        ? undefined
        : clock.setTimer(nextMs, () => due.reject(new TimeoutError()));
    try {
      return await Promise.race([question, answered.promise, due.promise]);
    } finally {
      timer?.cancel();
    }
  };
}

/** Whether the server is a member of a cluster; false while the connection is away. */
export function isClustered({ info }: NatsConnection): boolean {
  return info?.cluster !== undefined;
}

/**
 * Whether one process keeps all data, as `Broker.solitary` says; false while the connection is
 * away. Without JetStream of its own the server is a leaf before another.
 */
export function isSolitary({ info }: NatsConnection): boolean {
  return info?.jetstream === true && info.cluster === undefined;
}

/**
 * @returns the refusal, as the server said it
 * @throws TimeoutError where it is a description: the leader has said nothing
 */
function refusalIn(reply: Msg): Msg {
  if (errorIn(reply) !== undefined) return reply;
  throw new TimeoutError();
}

/** JetStream's own code, where it says no. */
function errorIn(reply: Msg): number | undefined {
  if (reply.data.length === 0 || reply.data.length > LONGEST_ERROR) return undefined;
  const text = reply.string();
  if (!text.includes('"error"')) return undefined;
  try {
    return (JSON.parse(text) as { error?: { err_code?: number } }).error?.err_code;
  } catch {
    return undefined;
  }
}
