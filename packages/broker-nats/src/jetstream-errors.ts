import { MillraceError } from "@millrace/core";
import { JetStreamApiError } from "@nats-io/jetstream";
import {
  ClosedConnectionError,
  DrainingConnectionError,
  NoRespondersError,
  PermissionViolationError,
  RequestError,
  TimeoutError,
} from "@nats-io/nats-core";
import { STREAM_NOT_FOUND, WITHOUT_LEADER, WRONG_SEQUENCE } from "./error-codes.ts";

const NOT_ENABLED = new Set([10039, 10076]);

/**
 * What the client or the server threw, as the one error family. A `MillraceError` stays as it is.
 *
 * @param doing completes "Could not …"
 */
export function asMillraceError(thrown: unknown, doing: string): MillraceError {
  if (MillraceError.is(thrown)) return thrown;
  const options = { cause: thrown };
  if (thrown instanceof JetStreamApiError) {
    const { err_code: code, description } = thrown.apiError();
    if (NOT_ENABLED.has(code))
      return new MillraceError(
        "jetstream-disabled",
        `Could not ${doing}: JetStream is not enabled for this account. Enable it in the server's configuration.`,
        options,
      );
    return new MillraceError(
      WITHOUT_LEADER.has(code) ? "broker-unavailable" : "jetstream-failed",
      `Could not ${doing}: JetStream says "${description}" (${code}).`,
      options,
    );
  }
  if (isUnheard(thrown))
    return new MillraceError(
      "jetstream-disabled",
      `Could not ${doing}: nothing answers for JetStream. Start nats-server with -js; a full disk disables it too.`,
      options,
    );
  if (thrown instanceof ClosedConnectionError || thrown instanceof DrainingConnectionError) {
    return new MillraceError(
      "connection-closed",
      `Could not ${doing}: the connection is closed. Connect again.`,
      options,
    );
  }
  if (isTimeout(thrown))
    return new MillraceError(
      "request-timeout",
      `Could not ${doing}: the server did not answer in time. Try again.`,
      options,
    );
  const denied = deniedPart(thrown);
  if (denied === "answer")
    return new MillraceError(
      "permission-denied",
      `Could not ${doing}, or not hear that it was done: the user of this connection may not subscribe to its inbox, where answers go. Grant it that.`,
      options,
    );
  if (denied !== undefined)
    return new MillraceError(
      "permission-denied",
      `Could not ${doing}: the user of this connection may not. Grant it the subject.`,
      options,
    );
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return new MillraceError("jetstream-failed", `Could not ${doing}: ${detail}.`, options);
}

/** Runs a request of the client, whose errors become the one family. */
export async function request<T>(doing: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    throw asMillraceError(thrown, doing);
  }
}

/** JetStream's own `err_code`, where the error is an answer of the server. */
export function apiCode(thrown: unknown): number | undefined {
  return thrown instanceof JetStreamApiError ? thrown.code : undefined;
}

export const CONSUMER_NOT_FOUND = 10014;

/** Asks a stream that is only made when it is needed: where there is none it holds nothing. */
export async function orWithoutStream<T>(nothing: T, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (isWithoutStream(error)) return nothing;
    throw error;
  }
}

/** What was asked has no stream: it was not made yet, or is gone. */
export function isWithoutStream(error: unknown): boolean {
  const thrown = MillraceError.is(error) ? error.cause : error;
  return apiCode(thrown) === STREAM_NOT_FOUND;
}

/** Somebody else wrote first: the compare of a compare-and-set did not hold. */
export function isWrongSequence(thrown: unknown): boolean {
  return WRONG_SEQUENCE.has(apiCode(thrown) ?? 0);
}

function isTimeout(thrown: unknown): boolean {
  return (
    thrown instanceof TimeoutError ||
    (thrown instanceof Error && thrown.cause instanceof TimeoutError)
  );
}

/** What the user may not do: ask, or listen to the inbox to which the answer of a request goes. */
export function deniedPart(thrown: unknown): "itself" | "answer" | undefined {
  if (thrown instanceof PermissionViolationError) return "itself";
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  if (!(cause instanceof PermissionViolationError)) return undefined;
  return cause.operation === "subscription" ? "answer" : "itself";
}

/**
 * Whether the server said that nobody listens to what was asked or published: it was not
 * carried out.
 */
export function isUnheard(thrown: unknown): boolean {
  return (
    isNotEnabled(thrown) ||
    thrown instanceof NoRespondersError ||
    (thrown instanceof RequestError && thrown.isNoResponders())
  );
}

/** The client keeps this class to itself. */
function isNotEnabled(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "JetStreamNotEnabled";
}
