import { expect, test } from "vitest";
import type { Broker } from "../broker/broker.ts";
import { followingJob } from "../envelope/chain-link.ts";
import { type Envelope, UNSETTLED } from "../envelope/envelope.ts";
import type { HistoryRecord } from "../settlement/history-record.ts";
import { isKnownJob } from "./known-job.ts";

const NOW = 1_700_000_000_000.25;
const done: Envelope = {
  ...UNSETTLED,
  ...{ id: "a", name: "job", queue: "mail", payload: null, createdAt: NOW - 5, headers: {} },
  next: [{ id: "b", name: "job", queue: "mail" }],
};
const after = (sequence: number, at = NOW): Envelope => {
  const job = followingJob(done, { at, sequence });
  if (job === undefined) throw new Error("nothing follows");
  return job;
};
const job = after(81);

/** Where a job may be found: in its queue, or on record. */
const PLACES = {
  waiting: (envelope: Envelope) => ({ envelope }),
  recorded: ({ createdAt, unkeyed = 0 }: Envelope): HistoryRecord => ({
    ...{ id: "b", name: "job", queue: "mail", state: "succeeded", outcome: "succeeded" },
    ...{ attempts: 1, generation: 0, node: "n", at: NOW + 5, door: "runtime", createdAt, unkeyed },
  }),
};

function isKnown(place: keyof typeof PLACES, other: Envelope): Promise<boolean> {
  return isKnownJob(
    {
      findWaiting: async () => (place === "waiting" ? PLACES.waiting(other) : undefined),
      history: { read: async () => (place === "recorded" ? [PLACES.recorded(other)] : []) },
    } as unknown as Pick<Broker, "findWaiting" | "history">,
    job,
  );
}

test.each<[string, Envelope, boolean]>([
  ["of the same success", after(81), true],
  ["of another success in the same millisecond", after(82), false],
  ["of another time", after(81, NOW + 1), false],
  ["as an earlier version marks it", { ...job, unkeyed: Math.floor(NOW) }, true],
  [
    "as an earlier version marks one of another time",
    { ...after(81, NOW + 0.5), unkeyed: Math.floor(NOW) },
    false,
  ],
])("what follows a job is known where there is one %s", async (_what, other, isIt) => {
  expect(await isKnown("waiting", other)).toBe(isIt);
  expect(await isKnown("recorded", other)).toBe(isIt);
});
