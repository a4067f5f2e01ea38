import {
  type Broker,
  type Clock,
  type Envelope,
  type HistoryRecord,
  isSameEnqueue,
  type JobRef,
  MillraceError,
  NO_MEMORY,
  type WaitingJob,
} from "@millrace/core";
import { lettersOfId } from "../dead/dead-matching.ts";
import type { OneJob } from "../jobs/job-key.ts";
import type { KeptThing } from "./kept-things.ts";

const REST_MS = 100;
const WHO_RUNS_MS = 400;

/** A job by its enqueue: another may have its id. */
type MadeJob = Pick<Envelope, "id" | "queue" | "createdAt">;

export function cannot({ id, queue }: JobRef, why: string): MillraceError {
  return new MillraceError(
    "undo-impossible",
    `The job ${id} of the queue ${queue} stays as it is: ${why}`,
  );
}

/** Where the very letter that was kept lies, if it is there. */
export async function sameLetter(
  broker: Broker,
  { letter }: KeptThing,
): Promise<number | undefined> {
  const { queue, id, at, attempts, reason } = letter;
  const found = (await lettersOfId(broker, { queue, id })).find(
    (other) =>
      other.at === at &&
      other.attempts === attempts &&
      other.reason === reason &&
      // Two jobs of the id may have died at one moment.
      isSameEnqueue(other, letter, NO_MEMORY) !== false,
  );
  return found?.sequence;
}

/** What is on record of the very job. Where its enqueue is not known: what does not say its own. */
export async function recordsOf(
  broker: Broker,
  { id, queue }: JobRef,
  { createdAt }: Pick<OneJob, "createdAt">,
): Promise<readonly HistoryRecord[]> {
  const records = await broker.history.read({ id, queue });
  return records.filter((record) => (record.createdAt ?? createdAt) === createdAt);
}

export async function isSomewhere(broker: Broker, job: MadeJob): Promise<boolean> {
  const { id, queue, createdAt } = job;
  const run = await broker.whoRuns(id, { timeoutMs: WHO_RUNS_MS, queue, createdAt });
  return run !== undefined || isWaiting(broker, job);
}

/** Another of its id says nothing of it. */
export async function isWaiting(
  broker: Broker,
  { id, queue, createdAt }: MadeJob,
): Promise<boolean> {
  const where = ({ envelope }: WaitingJob): boolean => envelope.createdAt === createdAt;
  return (await broker.findWaiting(id, { queue, where })) !== undefined;
}

/** Whether anything is on record of the life that a retry has begun, or of one after it. */
export async function hasBegun(broker: Broker, job: JobRef, revived: Envelope): Promise<boolean> {
  const { life: begun = 0 } = revived;
  return (await recordsOf(broker, job, revived)).some(({ life = 0 }) => life >= begun);
}

export function rest(clock: Clock): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(REST_MS, resolve));
}
