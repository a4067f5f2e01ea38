import { MillraceError } from "@millrace/core";
import type { JetStreamManager } from "@nats-io/jetstream";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, asMillraceError } from "../jetstream-errors.ts";
import type { Names } from "./subjects.ts";

export interface StoredSubjects {
  /** What the queue's stream takes. */
  readonly taken: readonly string[];
  /**
   * What it holds or takes beside the lanes, because an operator added it. The normal lane's
   * consumer takes it, or it would lie in the stream for good.
   */
  readonly unlisted: readonly string[];
}

/**
 * Literal subjects only: of an operator's pattern what is stored now. A 2.10 server skips messages
 * for good where a consumer's filters mix patterns with literals.
 *
 * @throws MillraceError `queue-not-found`
 */
export async function storedSubjects(
  jsm: JetStreamManager,
  names: Names,
  queue: string,
  mostListed = MOST_LISTED,
): Promise<StoredSubjects> {
  const stream = names.queueStream(queue);
  const { config, state } = await streamInfo(jsm, stream, undefined);
  const lanes = names.queueSubjects(queue);
  const isPattern = (subject: string): boolean => /[*>]/.test(subject);
  const literal = config.subjects.filter((subject) => !isPattern(subject));
  const theirs = config.subjects.filter((one) => isPattern(one) && !lanes.includes(one));
  const filters = (state.num_subjects ?? 0) <= mostListed ? [">"] : theirs;
  const listed: string[] = [];
  for (const filter of filters)
    listed.push(...Object.keys((await streamInfo(jsm, stream, filter)).state.subjects ?? {}));
  // A mark is no job: were it delivered, it would be gone. A job's own subject is its lane's.
  const unlisted = [...new Set([...literal, ...listed])]
    .filter(
      (subject) => !lanes.includes(subject) && !names.isMark(subject) && !names.isKeyed(subject),
    )
    .toSorted();
  return { taken: config.subjects, unlisted };
}

/** Whether one of the patterns takes the literal subject: as it is, or by `>` at the end. */
export function takesSubject(patterns: readonly string[], subject: string): boolean {
  return patterns.some(
    (pattern) =>
      pattern === subject || (pattern.endsWith(".>") && subject.startsWith(pattern.slice(0, -1))),
  );
}

/**
 * Where a stream has more, they are its jobs' own, and not worth the reading: then only those are
 * listed that a pattern of an operator takes.
 */
const MOST_LISTED = 10_000;

async function streamInfo(jsm: JetStreamManager, stream: string, subjects: string | undefined) {
  try {
    return await jsm.streams.info(
      stream,
      subjects === undefined ? {} : { subjects_filter: subjects },
    );
  } catch (error) {
    if (apiCode(error) !== STREAM_NOT_FOUND)
      throw asMillraceError(error, `look at the stream ${stream}`);
    throw noSuchQueue(stream, error);
  }
}

export function noSuchQueue(stream: string, cause: unknown): MillraceError {
  return new MillraceError(
    "queue-not-found",
    `There is no stream ${stream}. Create the queue first, or correct its name or the namespace.`,
    { cause },
  );
}
