import {
  decodeBody,
  effectsOf,
  encodeMsgpack,
  MillraceError,
  OutcomeSignal,
  type RunInTransaction,
} from "@millrace/core";
import type { Transaction } from "../database/transaction.ts";
import { BEGIN_DONE, KEEP_OUTPUT, READ_OUTPUT } from "./done-statements.ts";

const MSGPACK = "application/msgpack";

/**
 * Runs `act` unless an earlier transaction of the same job has committed, and notes its output in
 * the same transaction. An id that is used again later is another job: the time of its enqueueing
 * tells them apart.
 *
 * A run that has lost its right to end the job, by a timeout, a cancellation, or because another
 * run may be under way, throws instead: its effects go with the transaction. So do those of a run
 * that asks for something else than success.
 *
 * @throws MillraceError `unserializable-payload` where the output can't be kept; the signal's
 *   reason; what `act` returns where it is `snooze()`, `cancel()` and their kin; what `act` and the
 *   database throw
 */
export async function once<Output>(
  transaction: Transaction,
  { job, signal }: RunInTransaction,
  act: () => Promise<Output | OutcomeSignal>,
): Promise<Output> {
  if (transaction.language === "mysql")
    throw new MillraceError(
      "invalid-option",
      "context.transaction needs PostgreSQL: no record of done jobs is kept in MariaDB or MySQL.",
    );
  signal.throwIfAborted();
  const { queue, id, createdAt } = job;
  // What was enqueued anew may come to a node of an earlier version too, which goes by its own
  // time: the work is done for both, or by neither.
  const times = new Set([effectsOf(job), createdAt]);
  const begun: (readonly string[])[] = [];
  const keep = async (kept: string): Promise<void> => {
    for (const own of begun) await transaction.run(KEEP_OUTPUT, [kept, ...own]);
  };
  let stored: string | undefined;
  for (const time of times) {
    const key = [queue, id, String(time)];
    const first = await transaction.run(BEGIN_DONE, key);
    if (first.length > 0) begun.push(key);
    else stored ??= storedOutput(await transaction.run(READ_OUTPUT, key), id);
  }
  if (stored !== undefined) {
    await keep(stored);
    return outputIn<Output>(stored);
  }
  const output = await act();
  if (OutcomeSignal.is(output)) throw output;
  const kept = Buffer.from(encodeMsgpack([output])).toString("base64");
  await keep(kept);
  // As late as can be. What comes between this and the commit is an ordinary race: the job's end
  // and its cancellation at the same moment.
  signal.throwIfAborted();
  return output;
}

/** @returns as it is stored, in base64 */
function storedOutput(rows: Awaited<ReturnType<Transaction["run"]>>, id: string): string {
  const [row] = rows;
  if (row === undefined)
    throw new MillraceError(
      "outbox-failed",
      `The record of the job ${id} was removed from millrace_done while it was read. Run the transaction again.`,
    );
  if (typeof row["output"] !== "string")
    throw new MillraceError(
      "outbox-failed",
      `A transaction of the job ${id} was committed although its work had thrown, so it is not known whether it was done. Look at its effects, then delete the job's row from millrace_done to have it run again. The function that you gave to database() has to roll back where the function that it is given throws.`,
    );
  return row["output"];
}

function outputIn<Output>(stored: string): Output {
  const body = Buffer.from(stored, "base64");
  const [output] = decodeBody(body, MSGPACK, Number.POSITIVE_INFINITY) as [Output];
  return output;
}
