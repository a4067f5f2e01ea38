import { expect, test } from "vitest";
import type { Broker, FindOptions, WaitingJob } from "../broker/broker.ts";
import { followingJob } from "../envelope/chain-link.ts";
import { type Envelope, UNSETTLED } from "../envelope/envelope.ts";
import type { HistoryRecord } from "../settlement/history-record.ts";
import { isKnownJob, wasEnqueued, wasEnqueuedSince } from "./known-job.ts";

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

const HOUR_MS = 3_600_000;

type Found = Pick<Envelope, "createdAt" | "firstStoredAt" | "unkeyed"> & { readonly at: number };

/** What lies in a queue, or what is on record, under the id `o-1`. */
function brokerWith(
  place: keyof typeof PLACES,
  { at, ...found }: Partial<Found> & Pick<Found, "at">,
): Pick<Broker, "findWaiting" | "history"> {
  const envelope = { ...done, id: "o-1", createdAt: at, ...found };
  const record = {
    ...{ id: "o-1", queue: "mail", generation: 0, state: "succeeded" },
    at,
    ...found,
  };
  return {
    findWaiting: async () => (place === "waiting" ? { envelope } : undefined),
    history: { read: async () => (place === "recorded" ? [record] : []) },
  } as unknown as Pick<Broker, "findWaiting" | "history">;
}

test.each([HOUR_MS, 0, -HOUR_MS])(
  "a job whose producer's clock is %s ms ahead is known by when it was made, and no other of its id is",
  async (offMs) => {
    const made = { id: "o-1", queue: "mail", createdAt: NOW + offMs };
    for (const place of ["waiting", "recorded"] as const) {
      const known = (createdAt: number): Promise<boolean> =>
        wasEnqueued(brokerWith(place, { createdAt, at: NOW + 50 }), made);
      expect(await known(made.createdAt)).toBe(true);
      expect(await known(made.createdAt - HOUR_MS / 2)).toBe(false);
      expect(await known(made.createdAt + 1)).toBe(false);
    }
  },
);

test("a record that does not say when its job was made counts by its own time", async () => {
  const made = { id: "o-1", queue: "mail", createdAt: NOW };
  expect(await wasEnqueued(brokerWith("recorded", { at: NOW + 50 }), made)).toBe(true);
  expect(await wasEnqueued(brokerWith("recorded", { at: NOW - HOUR_MS }), made)).toBe(false);
});

test("another job of the id counts where it had the queue drop the job, and no earlier one does", async () => {
  const made = { id: "o-1", queue: "mail", createdAt: NOW };
  const since = NOW - 120_000;
  for (const place of ["waiting", "recorded"] as const) {
    const counts = (firstStoredAt: number, droppedSince?: number, unkeyed?: number) =>
      wasEnqueued(
        brokerWith(place, {
          ...{ createdAt: 7, at: NOW + 50, firstStoredAt },
          ...(unkeyed === undefined ? {} : { unkeyed }),
        }),
        made,
        {
          ...{ waiting: () => true, recorded: () => true },
          ...(droppedSince === undefined ? {} : { droppedSince }),
        },
      );
    expect(await counts(since, since)).toBe(true);
    expect(await counts(since - 1, since)).toBe(false);
    expect(await counts(since)).toBe(false);
    expect(await counts(since, since, 5)).toBe(false);
  }
});

test("another of the id that waits and is found before it does not hide it", async () => {
  const made = { id: "o-1", queue: "mail", createdAt: NOW };
  const waiting = [NOW + HOUR_MS, NOW].map((createdAt) => ({ envelope: { ...done, createdAt } }));
  const broker = {
    findWaiting: async (_id: string, { where }: FindOptions) =>
      (waiting as unknown as WaitingJob[]).find((one) => where?.(one) ?? true),
    history: { read: async () => [] },
  } as unknown as Pick<Broker, "findWaiting" | "history">;
  expect(await wasEnqueued(broker, made)).toBe(true);
  expect(await wasEnqueued(broker, { ...made, createdAt: NOW - 1 })).toBe(false);
});

test("of an id that nothing else has had since then, whatever came since is it", async () => {
  const job = { id: "o-1", queue: "mail" };
  for (const place of ["waiting", "recorded"] as const) {
    expect(await wasEnqueuedSince(brokerWith(place, { at: NOW + 50 }), job, NOW)).toBe(true);
    expect(await wasEnqueuedSince(brokerWith(place, { at: NOW - HOUR_MS }), job, NOW)).toBe(false);
  }
});
