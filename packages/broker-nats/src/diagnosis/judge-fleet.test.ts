import type { QueueSnapshot } from "@millrace/core";
import { expect, test } from "vitest";
import { judgeBacklog, judgeNodes } from "./judge-fleet.ts";
import type { NodeSeen } from "./node-seen.ts";

const queue = (more: Partial<QueueSnapshot> = {}, maxJobs?: number): QueueSnapshot => ({
  ...{ queue: "mail", intake: "open", queued: 0, running: 0, delayed: 0, blocked: 0, dead: 0 },
  oldestAgeMs: 0,
  ...more,
  ...(maxJobs === undefined ? {} : { maxJobs }),
});
const node = (name: string, silentMs = 4_000, queues: unknown = [{ queue: "mail" }]): NodeSeen => ({
  name,
  silentMs,
  seenAt: 1_000_000,
  report: { queues },
});
const clockOf = (name: string, sentAt: unknown): NodeSeen => ({
  ...node(name),
  report: { queues: [{ queue: "mail" }], sentAt },
});
const backlog = { queued: 3, oldestAgeMs: 120_000 };
const seen = (findings: ReturnType<typeof judgeNodes>): readonly string[] =>
  findings.map(({ check, status, message }) => `${status} ${check}: ${message}`);

test.each<[string, readonly NodeSeen[], readonly QueueSnapshot[], readonly string[]]>([
  ["a new namespace", [], [], []],
  [
    "clocks that are right, as nearly as anybody can tell, or are not told",
    [clockOf("a", 1_004_000), clockOf("b", 996_000), clockOf("c", "now"), node("d")],
    [],
    ["ok nodes: 4 say that they are there"],
  ],
  [
    "clocks that are wrong",
    [clockOf("a", 1_300_000), clockOf("b", 940_000)],
    [],
    [
      "warn node a: its clock is 5m ahead of the server's",
      "warn node b: its clock is 60s behind the server's",
    ],
  ],
  ["one that serves all", [node("a")], [queue(backlog)], ["ok nodes: 1 says that it is there"]],
  [
    "nobody, and jobs that wait",
    [],
    [queue(backlog), queue({ queue: "img", queued: 1, oldestAgeMs: 5 })],
    ["fail nodes: no node says that it is there, and 4 jobs wait"],
  ],
  [
    "nobody, and a job that has only just come",
    [],
    [queue({ queued: 1, oldestAgeMs: 2_000 })],
    ["warn nodes: no node says that it is there"],
  ],
  [
    "a fleet that died",
    [node("a", 44_400), node("b", 60_000)],
    [queue(backlog)],
    [
      "warn node a: has not been heard of for 44s",
      "warn node b: has not been heard of for 60s",
      "fail nodes: no node says that it is there, and 3 jobs wait",
    ],
  ],
  [
    "one that is lost among others",
    [node("a", 44_400), node("b")],
    [queue(backlog)],
    ["warn node a: has not been heard of for 44s"],
  ],
  [
    "a queue that nobody serves",
    [node("a", 0, [{ queue: "other" }])],
    [queue(backlog)],
    ["fail backlog mail: 3 jobs wait, and no node says that it serves the queue"],
  ],
  [
    "what is no report",
    [
      node("a", 0, "queues"),
      { name: "b", silentMs: 0, seenAt: 0, report: 7 },
      node("c", 0, [null, 1]),
    ],
    [queue()],
    ["ok nodes: 3 say that they are there"],
  ],
])("%s", (_what, nodes, backlogs, expected) => {
  expect(seen(judgeNodes(nodes, backlogs)).map((line) => line.replace("1m", "60s"))).toEqual(
    expected,
  );
});

const holding = (name: string, silentMs: number, used: number): NodeSeen =>
  node(name, silentMs, [{ queue: "mail", used }]);
const handedOut = { running: 2, activeMs: 300_000 };
const LEASES = new Map([["mail", 30_000]]);

test.each<[string, readonly NodeSeen[], Partial<QueueSnapshot>, readonly string[]]>([
  [
    "with a node that is gone, its lease not over",
    [holding("a", 44_400, 2)],
    handedOut,
    [
      "warn node a: has not been heard of for 44s, with 2 jobs of mail in hand. Its jobs come back by 1970-01-01T00:17:45Z (its lease is 30s)",
      "fail backlog mail: 2 jobs were handed to a, which has not been heard of for 44s, and no other node says that it serves the queue. Start a node with the jobs of mail. Where a is gone, they are handed out again by 1970-01-01T00:17:45Z (its lease is 30s)",
      "warn nodes: no node says that it is there",
    ],
  ],
  [
    "with one whose lease is over",
    [holding("a", 180_000, 2), node("b", 0, [{ queue: "other" }])],
    handedOut,
    [
      "warn node a: has not been heard of for 3m, with 2 jobs of mail in hand. Its jobs come back when their leases have run out",
      "fail backlog mail: 2 jobs were handed to a, which has not been heard of for 3m, and no other node says that it serves the queue. Start a node with the jobs of mail: they are handed to it",
    ],
  ],
  [
    "with one that is late",
    [holding("a", 20_000, 2)],
    handedOut,
    [
      "warn backlog mail: 2 jobs were handed to a, which has not been heard of for 20s, and no other node says that it serves the queue. Start a node with the jobs of mail. Where a is gone, they are handed out again by 1970-01-01T00:17:45Z (its lease is 30s)",
    ],
  ],
  [
    "with one that nobody knows any more",
    [node("b", 0, [{ queue: "other" }])],
    handedOut,
    [
      "warn backlog mail: 2 jobs were handed to nodes that nobody knows any more, and no node says that it serves the queue. Start a node with the jobs of mail: they are handed to it",
    ],
  ],
  [
    "with one that is gone, among others",
    [holding("a", 44_400, 1), holding("b", 1_000, 1)],
    handedOut,
    [
      "warn node a: has not been heard of for 44s, with 1 job of mail in hand. Its jobs come back by 1970-01-01T00:17:45Z (its lease is 30s)",
    ],
  ],
  ["with one that is there", [holding("a", 1_000, 2)], handedOut, []],
  [
    "with nobody, because they ended elsewhere",
    [holding("a", 44_400, 2), holding("b", 1_000, 0)],
    { running: 0, activeMs: 5_000 },
    ["warn node a: has not been heard of for 44s. None of its jobs is left with it"],
  ],
  [
    "with another, because the lease of one that is gone is over",
    [holding("a", 180_000, 2), holding("b", 1_000, 2)],
    { running: 2, activeMs: 5_000 },
    ["warn node a: has not been heard of for 3m. None of its jobs is left with it"],
  ],
  [
    "with one that is gone, though fewer than it said last",
    [holding("a", 44_400, 2), holding("b", 1_000, 0)],
    { running: 1, activeMs: 5_000 },
    [
      "warn node a: has not been heard of for 44s, with 1 job of mail in hand. Its jobs come back by 1970-01-01T00:17:45Z (its lease is 30s)",
    ],
  ],
])("jobs that lie %s", (_what, nodes, running, expected) => {
  const findings = judgeNodes(nodes, [queue(running)], LEASES).filter(
    ({ status }) => status !== "ok",
  );
  const lines = findings.map(({ check, status, message, advice = "" }) => {
    const said = /(?<=stalled\. )(?:Its jobs|None of) [^;]*|^Start a node with.*(?=\.$)/.exec(
      advice,
    )?.[0];
    return `${status} ${check}: ${message}${said === undefined ? "" : `. ${said}`}`;
  });
  expect(lines).toEqual(expected);
});

test.each<[string, QueueSnapshot, readonly string[]]>([
  ["nothing", queue(), []],
  ["many that came just now", queue({ queued: 9_999, oldestAgeMs: 1_000 }), []],
  ["a long job that runs alone", queue({ running: 1, oldestAgeMs: 3_600_000 }), []],
  [
    "an old one",
    queue({ queued: 2, oldestAgeMs: 660_000 }),
    ["warn backlog mail: 2 jobs wait, the oldest for 11m"],
  ],
  [
    "a full queue",
    queue({ queued: 8, running: 2 }, 10),
    ["fail backlog mail: is full: 10 of 10 jobs, and producers are refused"],
  ],
  [
    "a nearly full one",
    queue({ queued: 8 }, 10),
    ["warn backlog mail: is nearly full: 8 of 10 jobs"],
  ],
  ["one with room", queue({ queued: 7 }, 10), []],
  ["dead letters", queue({ dead: 1 }), ["warn dead letters mail: 1 lies there"]],
])("the backlog: %s", (_what, given, expected) => {
  expect(seen(judgeBacklog(given))).toEqual(expected);
});

test("what waits in a paused queue is not for more nodes", () => {
  const [full, old] = judgeBacklog(queue({ queued: 10, oldestAgeMs: 660_000 }, 10), true);
  expect(full?.message).toBe(
    "is full while it is paused: 10 of 10 jobs, and producers are refused",
  );
  expect(full?.advice).toMatch(
    /^Resume it, .*: millrace queues resume mail\. Or raise the limit: /,
  );
  expect(old).toMatchObject({
    status: "warn",
    message: "is paused: 10 jobs wait, the oldest for 11m",
  });
  expect(old?.advice).toMatch(/^Resume it, /);
  const [nearly] = judgeBacklog(queue({ queued: 8 }, 10), true);
  expect(nearly?.message).toBe("is nearly full while it is paused: 8 of 10 jobs");
  expect(nearly?.advice).toMatch(/^Resume it, /);
  expect(judgeBacklog(queue({ queued: 1 }), true)).toEqual([]);
  for (const { advice } of judgeBacklog(queue({ queued: 10, oldestAgeMs: 1e6 }, 10), true))
    expect(advice).not.toMatch(/[Aa]dd nodes|[Ss]tart nodes/);
});

test("each says what to do", () => {
  const findings = [
    ...judgeBacklog(queue({ queued: 10, dead: 2, oldestAgeMs: 1e6 }, 10)),
    ...judgeNodes([node("a", 50_000)], [queue(backlog)]),
  ];
  expect(findings).toHaveLength(5);
  for (const { advice } of findings) expect(advice?.length).toBeGreaterThan(20);
});
