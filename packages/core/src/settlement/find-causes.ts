import { MillraceError } from "../errors/millrace-error.ts";
import { optionNames, refuseUnknown } from "../options/known-options.ts";
import { requireCount } from "../options/option-values.ts";
import { type Cause, causeKey, causesOf } from "./cause.ts";
import type { DeadLetterGroup } from "./dead-letter-group.ts";
import type { FailureGroup } from "./failure-group.ts";

/** Which causes are meant. Everything that is given must hold. */
export interface CausesQuery {
  readonly queue?: string;
  /**
   * A cause is meant where it holds of a letter, or of what is known of all that failed of it:
   * `name`, `queue`, `error`, `message`, `fingerprint`, `node`, and `age` of the last failure.
   * Counted are then the letters of which it holds, and all failures. See `docs/filters.md`.
   */
  readonly where?: string;
  /** Whether only causes are meant of which there are dead letters now. Default: not only. */
  readonly deadOnly?: boolean;
  /** From 1 to 9,999. Default 500. */
  readonly limit?: number;
}

/** Who knows of dead letters: `millrace.dead`. And of failures: an index of jobs. */
export interface CausesOf {
  readonly dead: {
    groups(filter: {
      readonly queue?: string;
      readonly where?: string;
    }): Promise<readonly DeadLetterGroup[]>;
  };
  readonly index?: CountsFailures;
}

/** Who counts the attempts that failed. */
export interface CountsFailures {
  failures(query: {
    readonly queue?: string;
    readonly where?: string;
    readonly fingerprints?: readonly string[];
    readonly limit?: number;
  }): Promise<readonly FailureGroup[]>;
}

/** Causes, those of which most failed first. */
export interface FoundCauses {
  readonly causes: readonly Cause[];
  /** Whether others fit, too. */
  readonly more: boolean;
  /**
   * Whether only causes are among them of which there is a letter: that was asked for, nobody
   * counts failures, or `where` asks about what a letter alone has, such as its payload.
   */
  readonly lettersOnly: boolean;
}

const NAMES = optionNames<CausesQuery>({
  ...{ queue: true, where: true, deadOnly: true, limit: true },
});
const MOST = 10_000;

/**
 * Why jobs fail: dead letters and attempts that failed, those too that were tried again and
 * succeeded, by queue, job name and fingerprint of the error.
 *
 * @throws FilterError (`invalid-filter`); MillraceError `invalid-option`, `index-failed`
 * @example
 * const { causes } = await findCauses({ dead: millrace.dead, index }, { queue: "mail" });
 */
export async function findCauses(
  { dead, index }: CausesOf,
  query: CausesQuery = {},
): Promise<FoundCauses> {
  refuseUnknown(query, NAMES, "findCauses()");
  const { queue, where = "", deadOnly = false, limit = 500 } = query;
  requireCount(limit, "limit", 1, MOST - 1);
  const ofQueue = queue === undefined ? {} : { queue };
  const asked = { ...ofQueue, ...(where.trim() === "" ? {} : { where }) };
  const [groups, fitting] = await Promise.all([
    dead.groups(asked),
    index === undefined || deadOnly ? undefined : thatFit(index, { ...asked, limit: limit + 1 }),
  ]);
  const letters = groups.slice(0, limit + 1);
  const ofLetters = await failuresOf(letters, index, ofQueue);
  const failures = new Map(
    [...ofLetters, ...(fitting ?? [])].map((group) => [causeKey(group), group]),
  );
  const causes = causesOf(letters, [...failures.values()]);
  return {
    causes: causes.slice(0, limit),
    more: causes.length > limit,
    lettersOnly: fitting === undefined,
  };
}

async function thatFit(
  index: CountsFailures,
  query: Parameters<CountsFailures["failures"]>[0],
): Promise<readonly FailureGroup[] | undefined> {
  try {
    return await index.failures(query);
  } catch (error) {
    // A letter has more to ask about, and has told already whether it can be read at all.
    if (query.where !== undefined && MillraceError.is(error, "invalid-filter")) return undefined;
    throw error;
  }
}

/** They may be too few to be among the most frequent ones, or fit by their letter alone. */
async function failuresOf(
  letters: readonly DeadLetterGroup[],
  index: CountsFailures | undefined,
  ofQueue: { readonly queue?: string },
): Promise<readonly FailureGroup[]> {
  const fingerprints = [...new Set(letters.flatMap(({ fingerprint }) => fingerprint ?? []))];
  if (index === undefined || fingerprints.length === 0) return [];
  const known = new Set(letters.map((group) => causeKey(group)));
  const found = await index.failures({ ...ofQueue, fingerprints, limit: MOST });
  return found.filter((group) => known.has(causeKey(group)));
}
