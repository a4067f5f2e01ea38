import { MillraceError } from "../errors/millrace-error.ts";
import { ENQUEUE_OPTIONS, type EnqueueOptions } from "./enqueue-options.ts";

/** What may be said about one job, and of how long its id is its key. */
export interface OnceOptions extends EnqueueOptions {
  /**
   * For how long an `id` of yours keeps a second job out. Left out: for as long as the job waits,
   * runs, is a dead letter or is in the history; that is a few small reads. `false`: for as long as
   * the queue remembers ids, two minutes, without a read. `true`, of a client's `enqueue`: the
   * queue is also searched for jobs whose id was not given by an enqueue (`docs/producers.md`).
   */
  readonly once?: boolean;
}

/** What one enqueue takes. */
export const ONCE_OPTIONS: ReadonlySet<string> = new Set([...ENQUEUE_OPTIONS, "once"]);

/** @throws MillraceError `invalid-option` */
export function requireItems(items: unknown): void {
  if (Array.isArray(items)) return;
  throw new MillraceError("invalid-option", "items: must be a list of jobs, each with its input.");
}

/** What each job of a bulk enqueue takes. */
export const ENQUEUE_ITEM: ReadonlySet<string> = new Set([...ONCE_OPTIONS, "input"]);

/**
 * Whether the id is the key of what is to be done once.
 *
 * @throws MillraceError `invalid-option`, also where the options are no object
 */
export function isKey(options: OnceOptions): boolean {
  if (typeof options !== "object" || (options as object | null) === null)
    throw new MillraceError(
      "invalid-option",
      `The options of a job are an object; got ${options === null ? "null" : typeof options}.`,
    );
  const { id, once } = options;
  if (once !== undefined && typeof once !== "boolean")
    throw new MillraceError("invalid-option", `once: must be true or false; got ${String(once)}.`);
  if (once === true && id === undefined)
    throw new MillraceError(
      "invalid-option",
      "once: needs an id, by which the job is looked up. Give one that stands for what is to be done once.",
    );
  return id !== undefined && once !== false;
}
