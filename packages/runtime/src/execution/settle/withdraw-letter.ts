import { recordError, type Settlement } from "@millrace/core";
import type { SettlingOptions } from "./settling.ts";

/**
 * Another run may have buried the job and have lost its lease before its record. Then this end
 * counts, and nobody else comes to take that letter away: this run has acked the message. Never
 * rejects.
 */
export async function withdrawLetter(
  { host, delivery, input }: Pick<SettlingOptions, "host" | "delivery" | "input">,
  { state }: Settlement,
): Promise<void> {
  if (state !== "succeeded" && state !== "cancelled") return;
  try {
    const { letter } = await host.broker.successors(input.envelope, delivery.message);
    if (letter !== undefined) await host.broker.deadLetters.remove(letter.sequence);
  } catch (error) {
    host.log.warn(
      { job: input.envelope.id, error: recordError(error) },
      "it is not known whether a dead letter of a job that has ended stays behind",
    );
  }
}
