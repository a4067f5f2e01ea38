import {
  type Broker,
  type Clock,
  type DeadLetterGroup,
  type DeadLetterResult,
  MillraceError,
  optionNames,
  refuseUndefined,
  refuseUnknown,
  requireLimit,
  type StoredDeadLetter,
  requireOptions,
  mustBe,
} from "@millrace/core";
import type { Mask } from "@millrace/telemetry/masking";
import type { Completion } from "../../filter/complete-filter.ts";
import { serverClock } from "../server-clock.ts";
import { completeDead } from "./complete-dead.ts";
import { discardLetter } from "./dead-discard.ts";
import { groupLetters } from "./dead-groups.ts";
import { type DeadLetterFilter, letterTest, lettersOfId, matching } from "./dead-matching.ts";
import { editedEnvelope, revivedEnvelope } from "./dead-retry.ts";
import { mergedPayload } from "./old-payload.ts";
import { letterGone, manyReviver, reviveEdited } from "./dead-revive.ts";
import { alone, among, type CallLimits, LIMITS, type LimitsPlaces } from "../call-limits.ts";

/** Jobs that are not tried again by themselves. */
export interface DeadLetters {
  /** Oldest first. `limit`: default 100; `Infinity`: all. */
  list(
    filter?: DeadLetterFilter & { readonly limit?: number },
    limits?: CallLimits,
  ): Promise<readonly StoredDeadLetter[]>;
  /**
   * How many there are of each cause: by queue, job name, reason and fingerprint of the error, the
   * most frequent first. Reads all letters that are meant.
   *
   * @example
   * const [most] = await millrace.dead.groups({ queue: "mail" });
   * if (most?.fingerprint !== undefined)
   *   await millrace.dead.retry({ queue: "mail", fingerprint: most.fingerprint });
   */
  groups(filter?: DeadLetterFilter, limits?: CallLimits): Promise<readonly DeadLetterGroup[]>;
  /** How a filter in the language of `docs/filters.md` may go on that ends so far. */
  complete(filter: string, limits?: CallLimits): Promise<readonly Completion[]>;
  /**
   * The newest letter of a job.
   *
   * @throws MillraceError `job-not-found`, `ambiguous-id`
   */
  show(id: string, options?: { readonly queue?: string } & CallLimits): Promise<StoredDeadLetter>;
  /**
   * Gives the jobs a new life with their attempts at zero, and removes the letters. The publish is
   * confirmed before the removal: a crash in between leaves a job and its letter, never neither. An
   * empty filter means all; a term that is undefined is refused (`invalid-option`).
   *
   * A job with a unique key claims it anew; where another holds it the result is a
   * `unique-conflict` and the letter stays. A letter that somebody else has retried or discarded
   * meanwhile is a `job-not-found`. Of one whose job has its new life already, because a retry died
   * between its two writes, only the letter is removed; and of one whose job has ended well by
   * another of its runs.
   *
   * @param limits when the time is over, or the signal aborted, no further letter is begun with
   */
  retry(filter: DeadLetterFilter, limits?: CallLimits): Promise<readonly DeadLetterResult[]>;
  /**
   * Gives the newest letter of a job a new life with another payload, and removes the letter. What
   * could not be read as a job may be mended so, where the letter knows the job's name. With
   * `merge`, `payload` holds only what changes: its keys replace the old ones, and null takes one
   * away (RFC 7396). The rest stays as it is, bytes and dates too.
   *
   * @throws MillraceError `job-not-found`, `ambiguous-id` (name the queue then), `invalid-envelope`
   *   (there is no name), `unique-conflict`, `payload-too-large`, `invalid-payload` (to be merged
   *   with what has no fields, or can't be read), `already-retried` (its job has its new life, with
   *   the old payload), `already-ended` (it has ended well by another of its runs): it stays then
   * @example
   * await millrace.dead.edit("order-7", { to: "ada@example.com" }, { merge: true });
   */
  edit(
    id: string,
    payload: unknown,
    options?: { readonly queue?: string; readonly merge?: boolean } & CallLimits,
  ): Promise<{ readonly id: string; readonly queue: string }>;
  /**
   * Removes the letters for good, and what is on record of their jobs' steps. An empty filter means
   * all; a term that is undefined is refused (`invalid-option`). One that somebody else has retried
   * or discarded meanwhile is a `job-not-found`.
   *
   * @param limits as of `retry`
   */
  discard(filter: DeadLetterFilter, limits?: CallLimits): Promise<readonly DeadLetterResult[]>;
}

const WHERE_NAMES = optionNames<NonNullable<Parameters<DeadLetters["show"]>[1]>>({
  ...{ queue: true, ...LIMITS },
});
const EDIT_NAMES = optionNames<NonNullable<Parameters<DeadLetters["edit"]>[2]>>({
  ...{ queue: true, merge: true, ...LIMITS },
});
export const DEAD_LIMITS: LimitsPlaces<DeadLetters> = {
  ...{ list: alone(1), groups: alone(1), complete: alone(1), show: among(1), retry: alone(1) },
  ...{ edit: among(2), discard: alone(1) },
};

export function deadLetters(broker: Broker, clock: Clock, mask: Mask): DeadLetters {
  const host = { broker, clock };
  const now = (): number => clock.now();

  const onEach = async (
    filter: DeadLetterFilter,
    { of, signal }: CallLimits & { readonly of: string },
    act: (letter: StoredDeadLetter) => Promise<unknown>,
  ): Promise<readonly DeadLetterResult[]> => {
    refuseUndefined(filter, of);
    const fits = letterTest(filter, now(), mask);
    const results: DeadLetterResult[] = [];
    for await (const letter of matching(broker, filter, fits, { left: signal, once: true }))
      results.push(await outcomeOf(letter, act));
    return results;
  };

  const show = async (
    id: string,
    options: Parameters<DeadLetters["show"]>[1] = {},
  ): Promise<StoredDeadLetter> => {
    refuseUnknown(options, WHERE_NAMES, "dead.show()");
    const { queue } = options;
    const letters = await lettersOfId(broker, { id, ...(queue === undefined ? {} : { queue }) });
    const queues = new Set(letters.map((letter) => letter.queue));
    if (queues.size > 1)
      throw new MillraceError(
        "ambiguous-id",
        `${id} is a dead letter in each of ${[...queues].join(", ")}: name the queue too.`,
      );
    const newest = letters.at(-1);
    if (newest === undefined)
      throw new MillraceError(
        "job-not-found",
        `No dead letter with id ${id}${queue === undefined ? "" : ` in queue ${queue}`}.`,
      );
    return newest;
  };

  return {
    async list(given = {}, { signal } = {}) {
      requireOptions(given, "dead.list()");
      const { limit = 100, ...filter } = given;
      requireLimit(limit);
      const letters: StoredDeadLetter[] = [];
      const fits = letterTest(filter, now(), mask);
      for await (const letter of matching(broker, filter, fits, { left: signal }))
        if (letters.push(letter) >= limit) break;
      return letters;
    },
    groups: async (filter = {}, { signal: left } = {}) =>
      groupLetters(matching(broker, filter, letterTest(filter, now(), mask), { left }), mask),
    complete: async (filter) => {
      if (typeof filter !== "string") throw mustBe("filter", "a text", filter);
      return completeDead(filter);
    },
    show,
    async edit(id, given, options = {}) {
      refuseUnknown(options, EDIT_NAMES, "dead.edit()");
      const { merge = false, queue } = options;
      const letter = await show(id, queue === undefined ? {} : { queue });
      const payload = merge ? mergedPayload(letter, given, broker) : given;
      const server = await serverClock(broker, clock);
      const edited = editedEnvelope(letter, payload, server.now(), broker);
      await reviveEdited(host, letter, edited, { exact: !merge });
      return { id: letter.id, queue: letter.queue };
    },
    async retry(filter, limits = {}) {
      const [revive, server] = await Promise.all([manyReviver(host), serverClock(broker, clock)]);
      return onEach(filter, { ...limits, of: "dead.retry()" }, async (letter) => {
        const became = await revive(letter, revivedEnvelope(letter, server.now(), broker));
        if (became === "gone") throw letterGone(letter);
      });
    },
    discard: (filter, limits = {}) =>
      onEach(filter, { ...limits, of: "dead.discard()" }, async (letter) => {
        if (!(await discardLetter(host, letter))) throw letterGone(letter);
      }),
  };
}

async function outcomeOf(
  letter: StoredDeadLetter,
  act: (letter: StoredDeadLetter) => Promise<unknown>,
): Promise<DeadLetterResult> {
  const { id, queue } = letter;
  try {
    await act(letter);
    return { ok: true, id, queue };
  } catch (error) {
    // What is not ours is a defect, and stops the run instead of being counted.
    if (!MillraceError.is(error)) throw error;
    return { ok: false, id, queue, error };
  }
}
