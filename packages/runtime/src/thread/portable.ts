import {
  type HandlerWish,
  MillraceError,
  isErrorCode,
  OutcomeSignal,
  recordError,
} from "@millrace/core";
import type { PortableError, PortableWish } from "./thread-protocol.ts";

/** Errors and wishes across the border of a thread, and back. */

export function packError(thrown: unknown): PortableError {
  const { type, message, stack } = recordError(thrown);
  return { name: type, message, ...(stack === undefined ? {} : { stack }) };
}

export function unpackError(packed: PortableError): Error {
  const error = isErrorCode(packed.name)
    ? new MillraceError(packed.name, packed.message)
    : new Error(packed.message);
  if (!MillraceError.is(error)) error.name = packed.name;
  if (packed.stack !== undefined) error.stack = packed.stack;
  return error;
}

export function packWish(wish: HandlerWish): PortableWish {
  return "cause" in wish ? { ...wish, cause: packError(wish.cause) } : wish;
}

export function unpackWish(wish: PortableWish): OutcomeSignal {
  return new OutcomeSignal(
    "cause" in wish ? { ...wish, cause: unpackError(wish.cause) } : wish,
    wish.kind,
  );
}
