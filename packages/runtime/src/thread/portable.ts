import {
  cancelReason,
  type EnqueueItemResult,
  giveFields,
  type HandlerWish,
  MillraceError,
  isErrorCode,
  OutcomeSignal,
  recordFailure,
} from "@millrace/core";
import type {
  PortableError,
  PortableResult,
  PortableSent,
  PortableWish,
} from "./thread-protocol.ts";

/** Errors and wishes across the border of a thread, and back. */

export function packError(thrown: unknown): PortableError {
  const { type, message, stack, fields } = recordFailure(thrown);
  return {
    ...{ name: type, message },
    ...(stack === undefined ? {} : { stack }),
    ...(fields === undefined ? {} : { fields }),
  };
}

export function unpackError(packed: PortableError): Error {
  const error = isErrorCode(packed.name)
    ? new MillraceError(packed.name, packed.message)
    : new Error(packed.message);
  if (!MillraceError.is(error)) error.name = packed.name;
  if (packed.stack !== undefined) error.stack = packed.stack;
  if (packed.fields !== undefined) giveFields(error, packed.fields);
  return error;
}

export function packResult(result: EnqueueItemResult): PortableResult {
  return result.ok ? result : { ...result, error: packError(result.error) };
}

export function unpackResult(result: PortableResult): EnqueueItemResult {
  return result.ok ? result : { ...result, error: unpackMillraceError(result.error) };
}

type Answer<Why> = { readonly ok: true } | { readonly ok: false; readonly error: Why };

/** Of some jobs that were to be enqueued, on either side. */
export function firstRefusal<Why>(results: readonly Answer<Why>[]): Why | undefined {
  const refused = results.find((result) => !result.ok);
  return refused?.ok === false ? refused.error : undefined;
}

export function refusalOf(sent: PortableSent): PortableError | undefined {
  return sent.ok ? firstRefusal(sent.results) : sent.error;
}

/** Of a family that has one class: whatever else it was is its cause. */
function unpackMillraceError(packed: PortableError): MillraceError {
  const error = unpackError(packed);
  return MillraceError.is(error)
    ? error
    : new MillraceError("broker-rejected", packed.message, { cause: error });
}

/**
 * Only what the node knows: one that was made by hand may be too deep to be read there.
 *
 * @throws TypeError where its delay is no number
 */
export function packWish(wish: HandlerWish): PortableWish {
  switch (wish.kind) {
    case "retry-after":
      return {
        kind: wish.kind,
        delayMs: requireDelay(wish),
        cause: packError(wish.cause),
      };
    case "snooze":
      return { kind: wish.kind, delayMs: requireDelay(wish) };
    case "fatal":
      return { kind: wish.kind, cause: packError(wish.cause) };
    case "cancel":
      return { kind: wish.kind, reason: cancelReason(wish.reason) };
  }
}

function requireDelay({ kind, delayMs }: Extract<HandlerWish, { delayMs: number }>): number {
  if (typeof delayMs !== "number") throw new TypeError(`The delay of ${kind} is no number.`);
  return delayMs;
}

export function unpackWish(wish: PortableWish): OutcomeSignal {
  return new OutcomeSignal(
    "cause" in wish ? { ...wish, cause: unpackError(wish.cause) } : wish,
    wish.kind,
  );
}
