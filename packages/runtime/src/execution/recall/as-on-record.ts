import {
  type Broker,
  defined,
  type Envelope,
  isEarlierLife,
  type Outcome,
  type QueueMessage,
} from "@millrace/core";
import type { JobInHand } from "../job-in-hand.ts";

interface Unread extends JobInHand {
  end(outcome: Outcome): void;
  brokeOff(fault: unknown): void;
}

/**
 * Settles a job whose message can't be read. One that was published again is looked up first: its
 * bytes do not say when it was made.
 */
export function endUnread(job: Unread, outcome: Outcome): void {
  const { envelope, host, delivery } = job;
  const isUndecodable = outcome.kind === "rejected" && outcome.reason === "undecodable";
  if (envelope.generation === 0 || !isUndecodable) return job.end(outcome);
  job.phase = "recalling";
  asOnRecord(host.broker, envelope, delivery.message).then(
    (known) => {
      if (job.phase !== "recalling") return;
      job.envelope = known;
      job.end(outcome);
    },
    (error: unknown) => job.brokeOff(error),
  );
}

/**
 * A job that was published again, and whose body tells nothing any more, with what is on record of
 * its generation before: when it was made, its attempts, its life. By those whoever waits for the
 * job knows its end.
 *
 * @param envelope of which the message's id says the job and the generation
 */
export async function asOnRecord(
  broker: Broker,
  envelope: Envelope,
  { sequence }: QueueMessage,
): Promise<Envelope> {
  const { id, queue, generation } = envelope;
  const records = await broker.history.read({ id, queue });
  // Of several jobs of the id the one that came last before the message.
  const before = records.findLast(
    (record) => record.generation < generation && (record.sequence ?? 0) < sequence,
  );
  if (before === undefined) return envelope;
  const { createdAt, firstStoredAt, unkeyed, sentFrom, attempts, life = 0 } = before;
  const isNextLife = isEarlierLife(before.generation, generation);
  const lives = isNextLife ? life + 1 : life;
  return {
    ...envelope,
    ...defined({ createdAt, firstStoredAt, unkeyed, sentFrom }),
    attempts: isNextLife ? 0 : attempts,
    ...(lives === 0 ? {} : { life: lives }),
  };
}
