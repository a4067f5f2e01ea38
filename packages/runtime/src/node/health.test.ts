import { expect, test } from "vitest";
import { type HealthInput, healthOf } from "./health.ts";

const NOW = 500_000;
const worker: HealthInput["workers"][number] = {
  queue: "mail",
  state: "open",
  slots: 2,
  used: 0,
  lastActivity: NOW - 1_000,
};
const well: HealthInput = {
  state: "running",
  broker: "connected",
  workers: [worker],
  now: NOW,
  running: 0,
};
const silent = { ...worker, lastActivity: NOW - 90_001 };

test.each<[string, Partial<HealthInput>, boolean, boolean, string[]]>([
  ["all is well", {}, true, true, []],
  ["starting", { state: "starting" }, true, false, ["the node is starting"]],
  ["draining", { state: "draining" }, true, false, ["the node is draining"]],
  ["stopped", { state: "stopped" }, false, false, ["the node is stopped"]],
  ["the server is away", { broker: "disconnected" }, true, false, ["the broker is disconnected"]],
  [
    "the server refuses the credentials",
    { broker: "disconnected", refusal: { code: "auth-failed" } },
    true,
    false,
    ["the broker is disconnected: the server refuses the node's credentials (auth-failed)"],
  ],
  [
    "a queue is not bound",
    { workers: [{ ...worker, state: "waiting" }] },
    true,
    false,
    ["queue mail is waiting"],
  ],
  [
    "nothing is heard although there is a connection",
    { workers: [silent] },
    false,
    false,
    ["nothing heard of queue mail for over 90 s"],
  ],
  [
    "silence at the limit",
    { workers: [{ ...worker, lastActivity: NOW - 90_000 }] },
    true,
    true,
    [],
  ],
  [
    "a majority of the cluster is away",
    { unstoredMs: 20_001 },
    true,
    false,
    ["the server has stored nothing that this node wrote for 20 s"],
  ],
  ["an election", { unstoredMs: 20_000 }, true, true, []],
  [
    "nothing is stored because the server is away",
    { broker: "disconnected", unstoredMs: 60_000 },
    true,
    false,
    ["the broker is disconnected"],
  ],
  [
    "settlements that can't be carried out",
    { stuck: [{ queue: "mail", jobs: 2, reason: "record: broker-unavailable" }] },
    true,
    false,
    ["queue mail: 2 jobs can't be settled (record: broker-unavailable)"],
  ],
  ["a full worker does not pull", { workers: [{ ...silent, used: 2 }] }, true, true, []],
  ["never heard of yet", { workers: [{ ...worker, lastActivity: undefined }] }, true, true, []],
  [
    "silent because the server is away: restarting would not help",
    { workers: [silent], broker: "disconnected" },
    true,
    false,
    ["the broker is disconnected"],
  ],
])("%s", (_what, input, live, ready, problems) => {
  expect(healthOf({ ...well, ...input })).toMatchObject({ live, ready, problems });
});

test("it shows its queues and none of their inner times", () => {
  expect(healthOf({ ...well, running: 1, workers: [{ ...worker, used: 1 }] })).toMatchObject({
    running: 1,
    queues: [{ queue: "mail", state: "open", slots: 2, used: 1 }],
  });
});
