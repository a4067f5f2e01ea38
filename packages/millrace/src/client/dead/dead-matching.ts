import {
  type Broker,
  type DeadReason,
  defined,
  errorFingerprint,
  optionNames,
  refuseUnknown,
  requireId,
  requirePlace,
  type StoredDeadLetter,
  mustBe,
} from "@millrace/core";
import type { Mask } from "@millrace/telemetry/masking";
import { Turns } from "../../filter/turns.ts";
import { type LetterTest, parseDeadFilter } from "./dead-filter.ts";

/** Which dead letters are meant. Everything that is given must hold. */
export interface DeadLetterFilter {
  readonly queue?: string;
  readonly id?: string;
  readonly reason?: DeadReason;
  /** The job's name, exactly; null: letters that don't say one. */
  readonly name?: string | null;
  /** The type of the recorded error, exactly; null: letters without an error. */
  readonly error?: string | null;
  /** As `dead.groups()` has it, exactly; null: letters without an error. */
  readonly fingerprint?: string | null;
  /** What has to hold: `error=TimeoutError message~refused age<2h`. See `docs/filters.md`. */
  readonly where?: string;
}

/** As a record: one that is added to the type is asked for here. */
const BY_REASON: Readonly<Record<DeadReason, true>> = {
  "attempts-exhausted": true,
  fatal: true,
  crashed: true,
  expired: true,
  "unknown-name": true,
  "invalid-payload": true,
  undecodable: true,
  "invalid-envelope": true,
  "unsupported-version": true,
  "payload-too-large": true,
  "chain-broken": true,
  "next-not-allowed": true,
  "parked-full": true,
  unsettled: true,
};
export const DEAD_REASONS = Object.keys(BY_REASON) as readonly DeadReason[];

const PAGE = 200;

const NAMES = optionNames<DeadLetterFilter>({
  ...{ queue: true, id: true, reason: true, name: true, error: true, fingerprint: true },
  where: true,
});

/**
 * @throws MillraceError `invalid-filter` where `where` can't be read; `invalid-option` where there
 *   is no such term or no such reason: a filter with a mistyped one would mean every letter, or
 *   none; `invalid-name`
 */
export function letterTest(filter: DeadLetterFilter, now: number, mask: Mask): LetterTest {
  refuseUnknown(filter, NAMES, "a filter of dead letters");
  const { reason, name, error, fingerprint, where } = requirePlace(filter);
  if (reason !== undefined && !DEAD_REASONS.includes(reason))
    throw mustBe("reason", `one of ${DEAD_REASONS.join(", ")}`, reason);
  for (const [field, value] of Object.entries({ name, error, fingerprint }))
    if (value !== undefined && value !== null && typeof value !== "string")
      throw mustBe(field, "a text, or null for letters without one", value);
  const fits = where === undefined ? undefined : parseDeadFilter(where, now, mask);
  return (letter) =>
    (reason === undefined || letter.reason === reason) &&
    (name === undefined || (letter.name ?? null) === name) &&
    (error === undefined || (letter.error?.type ?? null) === error) &&
    (fingerprint === undefined || fingerprintOf(letter, mask) === fingerprint) &&
    (fits === undefined || fits(letter));
}

function fingerprintOf({ error }: StoredDeadLetter, mask: Mask): string | null {
  return error === undefined ? null : errorFingerprint(error, mask.text).fingerprint;
}

interface LetterReading {
  /** Ends it between two of them: nobody waits for it any more. */
  readonly left?: AbortSignal | undefined;
  /** Something is done to them, and nobody looks again at what is left out. */
  readonly once?: boolean;
}

/**
 * The letters that are meant, oldest first, of those that are there when the reading begins: as
 * many may come as are read, and a retried job may die again at once.
 */
export async function* matching(
  broker: Broker,
  filter: DeadLetterFilter,
  fits: LetterTest,
  { left, once = false }: LetterReading = {},
): AsyncGenerator<StoredDeadLetter> {
  const { queue, id } = filter;
  let newest = Number.POSITIVE_INFINITY;
  for (let after = 0; ;) {
    const page = await broker.deadLetters.list({
      limit: PAGE,
      after,
      ...defined({ queue, id }),
    });
    // Of what fits one page nothing comes while it is read.
    if (after === 0 && page.length === PAGE) newest = await broker.deadLetters.newest({ once });
    const turns = new Turns();
    for (const letter of page) {
      // What masks nothing takes no time.
      if (asksOfMasked(filter) && turns.isOver) await turns.next();
      left?.throwIfAborted();
      if (letter.sequence > newest) return;
      if (fits(letter)) yield letter;
    }
    left?.throwIfAborted();
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last.sequence;
  }
}

function asksOfMasked({ where, fingerprint }: DeadLetterFilter): boolean {
  return where !== undefined || typeof fingerprint === "string";
}

/** The letters of one id, oldest first. */
export async function lettersOfId(
  broker: Broker,
  job: Pick<DeadLetterFilter, "queue"> & { readonly id: string },
): Promise<readonly StoredDeadLetter[]> {
  requireId(job.id);
  const letters: StoredDeadLetter[] = [];
  for await (const letter of matching(broker, job, () => true)) letters.push(letter);
  return letters;
}
