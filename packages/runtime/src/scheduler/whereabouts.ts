import { type Broker, type Envelope, tickOriginOf, type WaitingJob } from "@millrace/core";

const ASK_NODES_MS = 500;

export interface Whereabouts {
  readonly is: "going" | "ended" | "absent";
  /**
   * The leadership that published it, where it was seen in a queue and is a tick's job. Of several
   * the greatest: a node lets no other run.
   */
  readonly by?: number | undefined;
}

/**
 * What has become of a tick's job. A producer may use its id, which can be foreseen: what it wrote
 * does not count. Slow where it is nowhere, as that takes two rounds: it may move from
 * one place to the next while it is being looked for.
 */
export async function whereabouts(
  broker: Pick<Broker, "findWaiting" | "history" | "whoRuns">,
  { id, queue }: { readonly id: string; readonly queue: string },
): Promise<Whereabouts> {
  const hasEnded = async (): Promise<boolean> => {
    const records = await broker.history.read({ id, queue });
    const latest = records.findLast(({ leadership }) => leadership !== undefined);
    return latest !== undefined && latest.state !== "requeued";
  };
  for (let round = 1; round <= 2; round += 1) {
    if (await hasEnded()) return { is: "ended" };
    const waits = waitingCopies(broker, id, queue);
    const runs = whoRuns(broker, id, queue);
    if (await anyOf([waits, runs])) {
      const waiting = await waits;
      // What runs is in its queue as well, until it is settled: it has just ended, or waits again.
      if (waiting === undefined && round === 1) continue;
      return { is: "going", by: publisherOf(waiting ?? []) };
    }
  }
  return { is: (await hasEnded()) ? "ended" : "absent" };
}

/**
 * The copies of a job: one that came late may wait for a decision beside the one in the queue.
 *
 * @returns undefined where there is none
 */
async function waitingCopies(
  broker: Pick<Broker, "findWaiting">,
  id: string,
  queue: string,
): Promise<readonly Envelope[] | undefined> {
  const first = await broker.findWaiting(id, { queue, where: isTicks });
  if (first === undefined) return undefined;
  if (first.state === "queued") return [first.envelope];
  // No delayed or blocked job was enqueued before all time, so this looks in the queue alone.
  const queued = await broker.findWaiting(id, { queue, enqueuedBefore: 0, where: isTicks });
  return [first, ...(queued === undefined ? [] : [queued])].map(({ envelope }) => envelope);
}

const isTicks = ({ envelope }: WaitingJob): boolean => tickOriginOf(envelope) !== undefined;

async function whoRuns(
  broker: Pick<Broker, "whoRuns">,
  id: string,
  queue: string,
): Promise<unknown> {
  const running = await broker.whoRuns(id, { timeoutMs: ASK_NODES_MS, queue });
  return running?.leadership;
}

function publisherOf(copies: readonly Envelope[]): number | undefined {
  const tokens = copies.flatMap((copy) => tickOriginOf(copy)?.token ?? []);
  return tokens.length === 0 ? undefined : Math.max(...tokens);
}

/** True as soon as one is there; false when none is. */
function anyOf(answers: readonly Promise<unknown>[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    Promise.all(
      answers.map(async (answer) => {
        if ((await answer) !== undefined) resolve(true);
      }),
    ).then(() => resolve(false), reject);
  });
}
