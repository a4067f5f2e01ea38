import { expect, test } from "vitest";
import { serverFeatures } from "./server-features.ts";

test.each([
  [
    "2.10.29",
    {
      messageTtl: false,
      keyTtl: false,
      schedules: false,
      atomicBatch: false,
      repeatingSchedules: false,
    },
  ],
  [
    "2.11.0",
    { messageTtl: true, keyTtl: true, consumerPause: true, schedules: false, counters: false },
  ],
  [
    "2.12.0-RC.3",
    {
      messageTtl: true,
      schedules: true,
      // It refuses an id in a batch.
      atomicBatch: false,
      counters: true,
      repeatingSchedules: false,
    },
  ],
  ["2.12.1", { atomicBatch: true }],
  ["2.14.5", { schedules: true, repeatingSchedules: true }],
  ["3.0.0", { messageTtl: true, schedules: true, repeatingSchedules: true }],
])("a server %s has the features of its version", (version, expected) => {
  expect(serverFeatures(version)).toMatchObject({ version, ...expected });
});

test.each([
  ["2.10.0", false],
  ["2.10.27", false],
  ["2.10.28", true],
  ["2.11.1", false],
  ["2.11.2", true],
  ["2.12.0-RC.1", true],
  ["2.15.2", true],
  ["3.0.0", true],
  ["2.10", false],
])("a server %s keeps a stream that begins at a later number: %s", (version, firstSequence) => {
  expect(serverFeatures(version)).toMatchObject({ firstSequence });
});

test.each([
  ["2.10.29", false],
  ["2.11.8", false],
  ["2.11.9", true],
  ["2.12.0", true],
])("in a cluster a server %s does: %s", (version, firstSequenceInCluster) => {
  expect(serverFeatures(version)).toMatchObject({ firstSequenceInCluster });
});

test.each(["2.9.25", "1.4.1", "", "latest"])("a server %j is refused as too old", (version) => {
  expect(() => serverFeatures(version)).toThrow(
    expect.objectContaining({ code: "server-too-old" }),
  );
});
