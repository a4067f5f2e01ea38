import { decodeBody, encodeMsgpack, type Envelope, MillraceError } from "@millrace/core";
import type { Transaction } from "../database/transaction.ts";
import { BEGIN_DONE, KEEP_OUTPUT, READ_OUTPUT } from "./done-statements.ts";

const MSGPACK = "application/msgpack";

/**
 * Runs `act` unless an earlier transaction of the same job has committed, and notes its output in
 * the same transaction. An id that is used again later is another job: the time of its enqueueing
 * tells them apart.
 *
 * @throws MillraceError `unserializable-payload` where the output can't be kept; what `act` and the
 *   database throw
 */
export async function once<Output>(
  transaction: Transaction,
  { queue, id, createdAt }: Pick<Envelope, "queue" | "id" | "createdAt">,
  act: () => Promise<Output>,
): Promise<Output> {
  const key = [queue, id, String(createdAt)];
  const first = await transaction.run(BEGIN_DONE, key);
  if (first.length > 0) {
    const output = await act();
    const kept = Buffer.from(encodeMsgpack([output])).toString("base64");
    await transaction.run(KEEP_OUTPUT, [kept, ...key]);
    return output;
  }
  const [row] = await transaction.run(READ_OUTPUT, key);
  if (typeof row?.["output"] !== "string")
    throw new MillraceError(
      "outbox-failed",
      `The record of the job ${id} was removed from millrace_done while it was read. Run the transaction again.`,
    );
  const [output] = decodeBody(Buffer.from(row["output"], "base64"), MSGPACK) as [Output];
  return output;
}
