import { expect, test } from "vitest";
import { followingJob } from "./chain-link.ts";
import { envelope } from "../settlement/settle.fixture.ts";
import type { Envelope } from "./envelope.ts";
import { flowPlace, nextJobs } from "./flow-place.ts";

test("a plain job stands in no chain and no batch", () => {
  expect(flowPlace(envelope)).toEqual({});
  expect(nextJobs({ ...envelope, next: [] })).toBeUndefined();
});

test.each([undefined, "mail", "other"])(
  "the jobs that follow are named as they will be enqueued, the first ten (sent from %s)",
  (sentFrom) => {
    const next = Array.from({ length: 12 }, (_, n) => ({
      name: `job-${n}`,
      queue: n % 2 === 0 ? "mail" : "files",
      ...(n === 5 ? { id: "own" } : {}),
    }));
    const first = { ...envelope, next, ...(sentFrom === undefined ? {} : { sentFrom }) };
    const told = nextJobs(first);
    expect(told).toMatchObject({ count: 12 });
    expect(told?.jobs).toHaveLength(10);
    let before: Envelope = first;
    for (const expected of told?.jobs ?? []) {
      const following = followingJob(before, { output: null, at: 1 });
      if (following === undefined) throw new Error("nothing follows");
      const { id, queue, name, follows } = following;
      expect({ id, queue, name }).toEqual(expected);
      expect(follows).toEqual({ id: before.id, queue: before.queue });
      before = { ...before, ...following };
    }
  },
);
