import { firstMessageOf } from "@millrace/core";
import type { JobStepsOptions } from "../job-steps-options.ts";
import { leftUntil } from "./other-versions.ts";
import type { RunJournal } from "../run-journal.ts";
import { GONE } from "../step-failures.ts";

export interface FirstReadOptions extends Pick<
  JobStepsOptions,
  "definition" | "envelope" | "host" | "message"
> {
  readonly journal: Pick<RunJournal, "read" | "version" | "wasEmpty">;
  /** Asks the broker until it answers. */
  readonly insist: <T>(action: () => Promise<T>) => Promise<T>;
  /** The run is left to another node until then, epoch milliseconds. */
  readonly left: (untilMs: number) => void;
  /** Another has ended the job. */
  readonly ended: () => void;
}

/**
 * Reads what is on record, before anything is run. Where nothing is, another may have ended the job
 * and have forgotten its steps: a message that lay in a frozen process looks as if it had just
 * come.
 *
 * @throws GONE where the job is not this node's to go on with
 */
export async function firstRead(options: FirstReadOptions): Promise<void> {
  const { definition, host, envelope, message, journal, insist, left, ended } = options;
  await insist(() => journal.read());
  if (!journal.wasEmpty) {
    const leftMs = leftUntil(host, envelope, definition, journal.version);
    if (leftMs === undefined) return;
    left(leftMs);
    throw GONE;
  }
  const job = { ...envelope, ...firstMessageOf(envelope, message) };
  if ((await insist(() => host.broker.history.endOf(job))) === undefined) return;
  ended();
  throw GONE;
}
