import { type Envelope, type KeyOf, keyOf, type Outcome, recordError } from "@millrace/core";

/** A job's key, or how the job is settled because it has none. */
export type EntrantKey = { readonly key: string } | { readonly refusal: Outcome };

/**
 * The key that a definition's function gives for the payload. Bad keys are the payload's fault:
 * trying again can't mend them.
 */
export function keyOfPayload(
  { payload }: Envelope,
  key: KeyOf<unknown>,
  field: string,
): EntrantKey {
  try {
    return { key: keyOf(key, payload, field) };
  } catch (error) {
    const { type, message } = recordError(causeOf(error));
    const said = error instanceof Error && causeOf(error) !== error ? `${error.message} ` : "";
    return {
      refusal: {
        kind: "rejected",
        reason: "invalid-payload",
        error: { type, message: `${said}${message}` },
      },
    };
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}

/** Whether its producer gave the job a key. */
export function hasOwnKey(
  envelope: Envelope,
): envelope is Envelope & { readonly concurrencyKey: string } {
  return envelope.concurrencyKey !== undefined && envelope.concurrencyKey !== "";
}
