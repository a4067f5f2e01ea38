import { type Broker, tickOriginOf } from "@millrace/core";

const ASK_NODES_MS = 500;

export interface Whereabouts {
  readonly is: "going" | "ended" | "absent";
  /** The leadership that published it, where it was seen in a queue and is a tick's job. */
  readonly by?: number | undefined;
}

/**
 * What has become of a job. Slow where it is nowhere, as that takes two rounds: it may move from
 * one place to the next while it is being looked for.
 */
export async function whereabouts(
  broker: Broker,
  { id, queue }: { readonly id: string; readonly queue: string },
): Promise<Whereabouts> {
  const hasEnded = async (): Promise<boolean> => {
    const latest = (await broker.history.read({ id, queue })).at(-1);
    return latest !== undefined && latest.state !== "requeued";
  };
  for (let round = 1; round <= 2; round += 1) {
    if (await hasEnded()) return { is: "ended" };
    const waits = broker.findWaiting(id, { queue });
    const runs = broker.whoRuns(id, { timeoutMs: ASK_NODES_MS });
    if (await anyOf([waits, runs])) {
      // What runs is in its queue as well, until it is settled.
      const waiting = await waits;
      return { is: "going", by: waiting && tickOriginOf(waiting.envelope)?.token };
    }
  }
  return { is: (await hasEnded()) ? "ended" : "absent" };
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
