import { MillraceError } from "@millrace/core";

/** What a database's driver threw. */
export interface Thrown {
  /** The driver's; empty where there is none. */
  readonly code: string;
  readonly message: string;
}

/** A value, or a rule of the tables, in SQL's states: PostgreSQL, MariaDB and MySQL. */
const REFUSED_STATE = /^(?:22|23|54)[0-9A-Z]{3}$/;
/** What SQLite says of a text that is too large, of a rule and of a type. */
const REFUSED_IN_SQLITE: ReadonlySet<number> = new Set([18, 19, 20]);
const TOO_LARGE_IN_MYSQL = "ER_NET_PACKET_TOO_LARGE";

/** Whether the database refused a statement for what is in it, as it would at each further try. */
export function isRefusedForGood(error: unknown): error is MillraceError {
  if (!MillraceError.is(error, "outbox-failed")) return false;
  const { cause } = error;
  if (typeof cause !== "object" || cause === null) return false;
  const { code, sqlState, errcode } = cause as Readonly<Record<string, unknown>>;
  if (typeof errcode === "number") return REFUSED_IN_SQLITE.has(errcode & 0xff);
  return code === TOO_LARGE_IN_MYSQL || REFUSED_STATE.test(String(sqlState ?? code));
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
