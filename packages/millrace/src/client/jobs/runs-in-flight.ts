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

export interface RunsInFlight {
  readonly runs: readonly RecordedRun[];
  /** Queues of which there was more than was looked at. */
  readonly cut: readonly string[];
}

/**
 * What is on record of the jobs that have begun, have not ended and are of one of these handlers.
 * Nothing is masked.
 */
export async function runsInFlight(
  broker: Pick<Broker, "blocked" | "journal" | "listWaiting">,
  jobs: readonly AnyJob[],
  now: () => number,
  most = MOST_IN_FLIGHT,
): Promise<RunsInFlight> {
  const names = new Set(jobs.map(({ queue, name }) => `${queue} ${name}`));
  const runs = new Map<string, RecordedRun>();
  const cut: string[] = [];
  for (const queue of new Set(jobs.map((job) => job.queue))) {
    const { envelopes, isCut } = await envelopesOf(broker, queue, most);
    if (isCut) cut.push(queue);
    for (const envelope of envelopes) {
      const key = `${queue} ${envelope.id} ${envelope.createdAt}`;
      if (runs.has(key) || !names.has(`${queue} ${envelope.name}`)) continue;
      const steps = await broker.journal.read(envelope);
      if (steps.length > 0) runs.set(key, recordRun(envelope, steps, now()));
    }
  }
  return { runs: [...runs.values()], cut };
}

async function envelopesOf(
  broker: Pick<Broker, "blocked" | "listWaiting">,
  queue: string,
  limit: number,
): Promise<{ readonly envelopes: readonly Envelope[]; readonly isCut: boolean }> {
  const blocked = await broker.blocked.list({ queue, limit });
  try {
    const waiting = await broker.listWaiting(queue, { limit });
    // What was never published again and is in nobody's hands has not begun.
    const begun = waiting.filter(
      ({ envelope, isHandedOut }) => envelope.generation > 0 || isHandedOut === true,
    );
    return {
      envelopes: [...begun, ...blocked].map(({ envelope }) => envelope),
      isCut: waiting.length >= limit || blocked.length >= limit,
    };
  } catch (error) {
    if (MillraceError.is(error, "queue-not-found")) return { envelopes: [], isCut: false };
    throw error;
  }
}
