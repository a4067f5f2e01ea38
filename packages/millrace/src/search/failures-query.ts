import { defined, MillraceError, optionNames, refuseUnknown, requireCount } from "@millrace/core";

/** Which causes of failed attempts are meant. Everything that is given must hold. */
export interface FailuresQuery {
  readonly queue?: string;
  /**
   * What has to hold of the cause: `error=TimeoutError node:web-1 age<2h`. Its fields are `name`,
   * `queue`, `error`, `message` (without what varies, and the last one), `fingerprint` and `node`;
   * `at` and `age` mean its last failure. See `docs/filters.md`.
   */
  readonly where?: string;
  /** Only these causes, by their fingerprints; at most 10,000. */
  readonly fingerprints?: readonly string[];
  /** From 1 to 10,000. Default 500. */
  readonly limit?: number;
}

/** As the thread is asked. */
export interface AskedFailures extends FailuresQuery {
  readonly limit: number;
  /** Epoch milliseconds. */
  readonly now: number;
}

const NAMES = optionNames<FailuresQuery>({
  ...{ queue: true, where: true, fingerprints: true, limit: true },
});
const MOST = 10_000;

/** @throws MillraceError `invalid-option` */
export function askedFailures(query: FailuresQuery, now: number): AskedFailures {
  refuseUnknown(query, NAMES, "failures()");
  const { where = "", limit = 500, fingerprints, queue } = query;
  requireCount(limit, "limit", 1, MOST);
  if (fingerprints !== undefined && !(Array.isArray(fingerprints) && fingerprints.length <= MOST))
    throw new MillraceError("invalid-option", `fingerprints: must be a list of at most ${MOST}.`);
  return {
    ...{ limit, now },
    ...(where.trim() === "" ? {} : { where }),
    ...defined({ queue, fingerprints }),
  };
}
