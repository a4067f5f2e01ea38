import type { Broker } from "@millrace/core";

const ASK_NODES_MS = 500;

/**
 * What has become of a job. Slow where it is nowhere, as that takes two rounds: it may move from
 * one place to the next while it is being looked for.
 */
export async function whereabouts(
  broker: Broker,
  { id, queue }: { readonly id: string; readonly queue: string },
): Promise<"going" | "ended" | "absent"> {
  const hasEnded = async (): Promise<boolean> => {
    const latest = (await broker.history.read({ id, queue })).at(-1);
    return latest !== undefined && latest.state !== "requeued";
  };
  for (let round = 1; round <= 2; round += 1) {
    if (await hasEnded()) return "ended";
    const isThere = await anyOf([
      broker.findWaiting(id, { queue }).then((job) => job !== undefined),
      broker.whoRuns(id, { timeoutMs: ASK_NODES_MS }).then((job) => job !== undefined),
    ]);
    if (isThere) return "going";
  }
  return (await hasEnded()) ? "ended" : "absent";
}

/** True as soon as one is; false when all are. */
function anyOf(answers: readonly Promise<boolean>[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    Promise.all(
      answers.map(async (answer) => {
        if (await answer) resolve(true);
      }),
    ).then(() => resolve(false), reject);
  });
}
