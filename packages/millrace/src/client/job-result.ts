import {
  type Broker,
  type Clock,
  type HistoryRecord,
  isErrorCode,
  MillraceError,
  type RecordedError,
  type ErrorCode,
} from "@millrace/core";

export interface AwaitedJob {
  readonly id: string;
  readonly queue: string;
}

/**
 * Waits until a job has ended, and gives its result.
 *
 * Subscribes, then reads, then waits: a job that ends in between is seen in one of the two. After a reconnect it reads
 * again, for a record may have passed while nobody listened.
 *
 * @throws MillraceError what `resultOf` throws; `result-timeout`; `connection-closed`
 */
export async function awaitResult(
  broker: Broker,
  job: AwaitedJob,
  timeoutMs: number | undefined,
  clock: Clock,
): Promise<unknown> {
  const ended = Promise.withResolvers<HistoryRecord>();
  // The wait may be given up (a failed read, say) before anything awaits the promise.
  ended.promise.catch(() => {});
  const look = async (): Promise<void> => {
    const record = finalRecord(await broker.history.read(job));
    if (record !== undefined) ended.resolve(record);
  };
  const timer =
    timeoutMs === undefined
      ? undefined
      : clock.setTimer(timeoutMs, () => {
          ended.reject(
            new MillraceError(
              "result-timeout",
              `Job ${job.id} did not end within ${timeoutMs} ms. It goes on; ask again, or look at its status.`,
            ),
          );
        });
  const stopWatching = broker.onStatus((status) => {
    if (status === "closed")
      ended.reject(
        new MillraceError(
          "connection-closed",
          `The connection was closed while job ${job.id} was awaited.`,
        ),
      );
    // A read that fails now is repeated at the next reconnect, and the subscription goes on meanwhile.
    else if (status === "connected") look().catch(() => {});
  });
  let following: { stop(): Promise<void> } | undefined;
  try {
    following = await broker.history.follow(job, (record) => {
      if (isFinal(record)) ended.resolve(record);
    });
    await look();
    return resultOf(await ended.promise);
  } finally {
    timer?.cancel();
    stopWatching();
    await following?.stop();
  }
}

/** The record that ended the job's latest life, if it has ended. */
function finalRecord(records: readonly HistoryRecord[]): HistoryRecord | undefined {
  const last = records.at(-1);
  return last !== undefined && isFinal(last) ? last : undefined;
}

function isFinal(record: HistoryRecord): boolean {
  return record.state !== "requeued";
}

/**
 * The result in a job's final record.
 *
 * @throws MillraceError where the job did not succeed: its `code` is the recorded error's type where that is a code,
 *   else `handler-failed`, `expired` or `cancelled`; its `cause` is the recorded error
 */
export function resultOf(record: HistoryRecord): unknown {
  if (record.state !== "succeeded") throw failureOf(record);
  if (record.outputDropped === undefined) return record.output;
  const why = record.outputDropped === "too-large" ? "too large" : "no plain data";
  throw new MillraceError(
    record.outputDropped === "too-large" ? "payload-too-large" : "unserializable-payload",
    `Job ${record.id} succeeded, but its result was not kept: it was ${why}. Return less, such as the place where the result is stored.`,
  );
}

function failureOf(record: HistoryRecord): MillraceError {
  const { id, error, attempts } = record;
  if (record.state === "cancelled")
    return new MillraceError(
      "cancelled",
      `Job ${id} was cancelled: ${record.reason ?? "no reason given"}`,
    );
  if (record.state === "expired")
    return new MillraceError("expired", `Job ${id} expired before it started.`);
  const spent = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
  return new MillraceError(
    deathCode(record),
    `Job ${id} is dead after ${spent} (${record.reason ?? "unknown reason"}): ${error?.message ?? "no error was recorded"}`,
    error === undefined ? {} : { cause: asError(error) },
  );
}

function deathCode({ reason, error }: HistoryRecord): ErrorCode {
  if (reason !== "attempts-exhausted" && isErrorCode(reason)) return reason;
  return isErrorCode(error?.type) ? error.type : "handler-failed";
}

/** The recorded error as an `Error`, so that a debugger shows the handler's own stack. */
function asError({ type, message, stack }: RecordedError): Error {
  const error = new Error(message);
  error.name = type;
  if (stack !== undefined) error.stack = stack;
  return error;
}
