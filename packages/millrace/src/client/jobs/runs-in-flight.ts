import {
  type AnyJob,
  type Broker,
  type Envelope,
  MillraceError,
  recordRun,
  type RecordedRun,
} from "@millrace/core";

/** Jobs of a queue that are looked at, and of those that are blocked. */
export const MOST_IN_FLIGHT = 10_000;

/**
 * What is on record of the jobs that have begun, have not ended and are of one of these handlers.
 * Nothing is masked.
 */
export async function runsInFlight(
  broker: Pick<Broker, "blocked" | "journal" | "listWaiting">,
  jobs: readonly AnyJob[],
  now: () => number,
): Promise<readonly RecordedRun[]> {
  const names = new Set(jobs.map(({ queue, name }) => `${queue} ${name}`));
  const runs = new Map<string, RecordedRun>();
  for (const queue of new Set(jobs.map((job) => job.queue)))
    for (const envelope of await envelopesOf(broker, queue)) {
      const key = `${queue} ${envelope.id} ${envelope.createdAt}`;
      if (runs.has(key) || !names.has(`${queue} ${envelope.name}`)) continue;
      const steps = await broker.journal.read(envelope);
      if (steps.length > 0) runs.set(key, recordRun(envelope, steps, now()));
    }
  return [...runs.values()];
}

async function envelopesOf(
  broker: Pick<Broker, "blocked" | "listWaiting">,
  queue: string,
): Promise<readonly Envelope[]> {
  const blocked = await broker.blocked.list({ queue, limit: MOST_IN_FLIGHT });
  try {
    const waiting = await broker.listWaiting(queue, { limit: MOST_IN_FLIGHT });
    // What was never published again and is in nobody's hands has not begun.
    const begun = waiting.filter(
      ({ envelope, isHandedOut }) => envelope.generation > 0 || isHandedOut === true,
    );
    return [...begun, ...blocked].map(({ envelope }) => envelope);
  } catch (error) {
    if (MillraceError.is(error, "queue-not-found")) return [];
    throw error;
  }
}
