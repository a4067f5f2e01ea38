import { expect, test } from "vitest";
import type { NodeView, QueueView } from "../api/views/views.ts";
import { problemsOf } from "./problems.ts";

const QUEUE: QueueView = {
  ...{ queue: "mail", queued: 0, running: 0, delayed: 0, blocked: 0, dead: 0, oldestAgeMs: 0 },
  ...{ open: true, slots: 10, nodes: 1 },
};
const NODE: NodeView = {
  ...{ name: "n1", state: "running", desired: "running", obeys: "running", host: "h", pid: 1 },
  ...{ startedAt: 0, seenAt: 0, silentMs: 100, queues: [] },
};

test.each<[string, Partial<QueueView>, readonly string[]]>([
  ["nothing", {}, []],
  [
    "jobs that nobody serves",
    { queued: 2, nodes: 0 },
    ["critical: 2 jobs in queue mail, which no node serves."],
  ],
  [
    "jobs of a node that is gone",
    { running: 2, lost: 2, silentMs: 44_000 },
    ["critical: 2 jobs of queue mail are lost."],
  ],
  [
    "a full queue",
    { queued: 9, running: 1, maxJobs: 10 },
    ["critical: Queue mail is full and refuses producers."],
  ],
  [
    "a pause",
    { queued: 1, paused: { since: 0 }, oldestAgeMs: 9e6 },
    ["warning: Queue mail is paused, with 1 job queued."],
  ],
  [
    "an old job",
    { queued: 1, oldestAgeMs: 900_000 },
    ["warning: The oldest job of queue mail is 15m old."],
  ],
  ["a closed queue", { open: false }, ["warning: Queue mail is closed to producers."]],
  ["dead letters", { dead: 1 }, ["warning: 1 dead letter in queue mail."]],
])("of a queue: %s", (_what, state, expected) => {
  const found = problemsOf({
    ...{ connected: true, samples: [], now: 0, nodes: [NODE] },
    queues: [{ ...QUEUE, ...state }],
  });
  expect(found.map(({ severity, text }) => `${severity}: ${text}`)).toEqual(expected);
});

test("of nodes and of the connection, and what is critical comes first", () => {
  const stuck = { queue: "mail", state: "open", slots: 1, used: 1, ended: 0, stuck: 3 };
  const found = problemsOf({
    ...{ connected: false, samples: [], now: 0 },
    queues: [{ ...QUEUE, dead: 1 }],
    nodes: [
      { ...NODE, state: "lost", silentMs: 90_400 },
      { ...NODE, name: "n2", queues: [stuck] },
      { ...NODE, name: "n3", silentMs: 16_000 },
    ],
  });
  expect(found.map(({ severity, text }) => `${severity}: ${text}`)).toEqual([
    "critical: There is no connection to the server: what is shown is old.",
    "critical: Node n1 has not been heard of for 1.5m.",
    "critical: Node n2 can't settle 3 jobs.",
    "warning: Node n3 has not been heard of for 16s.",
    "warning: 1 dead letter in queue mail.",
  ]);
});

test("a queue in which more and more jobs wait, and not where it is paused", () => {
  const counts = [100, 120, 150, 170, 200, 230, 260, 300, 340, 380];
  const samples = counts.map((queued, n) => ({
    ...{ at: n * 60_000, slots: 1, used: 1 },
    queues: {
      mail: { ...{ queued, running: 1, delayed: 0, blocked: 0, dead: 0 }, oldestAgeMs: 1 },
    },
  }));
  const told = (state: Partial<QueueView>) =>
    problemsOf({
      ...{ connected: true, nodes: [NODE], samples, now: 590_000 },
      queues: [{ ...QUEUE, queued: 400, ...state }],
    });
  const pilesUp = {
    ...{ severity: "warning", link: "queues/mail" },
    text: "Queue mail is piling up: 400 jobs wait, and 100 did 10m ago.",
  };
  expect(told({})).toEqual([pilesUp]);
  expect(told({ paused: { since: 0 } })).not.toContainEqual(pilesUp);
});
