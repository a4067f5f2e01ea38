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

const PAGE = 200;

const NAMES = optionNames<DeadLetterFilter>({
  ...{ queue: true, id: true, reason: true, name: true, error: true, fingerprint: true },
  where: true,
});

/**
 * @throws MillraceError `invalid-filter` where `where` can't be read, or where there is no such
 *   term: a filter with a mistyped one would mean every letter; `invalid-name`
 */
export function letterTest(filter: DeadLetterFilter, now: number, mask: Mask): LetterTest {
  refuseUnknown(filter, NAMES, "a filter of dead letters");
  const { reason, name, error, fingerprint, where } = requirePlace(filter);
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
