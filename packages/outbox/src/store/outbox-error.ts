import { MillraceError } from "@millrace/core";

/** What a database's driver threw. */
export interface Thrown {
  /** The driver's; empty where there is none. */
  readonly code: string;
  readonly message: string;
}

/**
 * What a database's driver threw, as the one error family.
 *
 * @param isUnmigrated whether a table or a column of the outbox is missing: the tables are an
 *   earlier version's
 */
export function asOutboxError(
  error: unknown,
  isUnmigrated: (thrown: Thrown) => boolean,
): MillraceError {
  if (MillraceError.is(error)) return error;
  const code =
    typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  const message = error instanceof Error && error.message !== "" ? error.message : code;
  const advice = isUnmigrated({ code, message })
    ? "Run `millrace outbox migrate` first."
    : "Its rows wait in the database meanwhile.";
  return new MillraceError("outbox-failed", `The outbox's database failed: ${message}. ${advice}`, {
    cause: error,
  });
}
