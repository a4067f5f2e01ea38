import { expect, test } from "vitest";
import type { NodeStatus } from "../../client/nodes.ts";
import { plain } from "../io.ts";
import { frame, type TopView } from "./frame.ts";
import { nextPaces, paceOf } from "./rates.ts";

const node = (seenAt: number, ended: number, more: Partial<NodeStatus> = {}): NodeStatus => ({
  name: "n1",
  state: "running",
  desired: "running",
  obeys: "running",
  host: "h",
  pid: 7,
  startedAt: 1,
  seenAt,
  silentMs: 2_000,
  queues: [{ queue: "mail", state: "open", slots: 10, used: 3, ended }],
  ...more,
});

test("a pace is what ended between two reports, over all nodes, and stays until the next", () => {
  const first = nextPaces(new Map(), [node(10_000, 50)]);
  expect(paceOf(first, "mail")).toBeUndefined();
  const second = nextPaces(first, [node(20_000, 150), node(20_000, 5, { name: "n2" })]);
  expect(paceOf(second, "mail")).toBe(10);
  const same = nextPaces(second, [node(20_000, 150), node(30_000, 25, { name: "n2" })]);
  expect(paceOf(same, "mail")).toBe(12);
  // A node that was started anew counts anew, and a lost one counts no more.
  expect(paceOf(nextPaces(same, [node(30_000, 1, { startedAt: 2 })]), "mail")).toBeUndefined();
  expect(paceOf(nextPaces(same, [node(40_000, 1, { state: "lost" })]), "mail")).toBeUndefined();
});

const VIEW: TopView = {
  namespace: "shop",
  at: 0,
  queues: [
    {
      ...{ queue: "mail", queued: 5, running: 3, delayed: 1, blocked: 0, dead: 2 },
      ...{ intake: "open", oldestAgeMs: 61_000, endedPerSecond: 12.345 },
    },
  ],
  nodes: [
    node(0, 50, { obeys: "quiet", desired: "quiet", order: { at: 0, by: "ada", reason: "leak" } }),
    node(0, 1, { name: "n2", state: "lost" }),
    node(0, 1, { name: "n3", desired: "stopped", order: { at: 0, by: "ada" } }),
  ],
  locks: Array.from({ length: 12 }, (_, n) => ({
    ...{ name: `user/${n}`, holder: "n1", token: n, leaseMs: 30_000, leftMs: 20_000 },
  })),
};

test("a node's clock is shown where one is wrong", () => {
  const nodes = [node(0, 1), node(0, 1, { name: "n2", clockAheadMs: -61_000 })];
  const page = frame({ ...VIEW, nodes }, plain);
  expect(page).toMatch(/n1 .* ok\n/);
  expect(page).toMatch(/n2 .* 1m behind\n/);
  expect(frame(VIEW, plain)).not.toContain("CLOCK");
});

test("a node's memory and version are shown; of one of an older version they are not known", () => {
  const memory = { rssBytes: 182.4 * 2 ** 20, heapBytes: 1 };
  const nodes = [node(0, 1, { memory, version: "1.2.3" }), node(0, 1, { name: "n2" })];
  const page = frame({ ...VIEW, nodes }, plain);
  expect(page).toMatch(/n1 .* 182 MiB +1\.2\.3 +h:7 /);
  expect(page).toMatch(/n2 .* \? +\? +h:7 /);
});

test("everything is on one page, without colours in a pipe", () => {
  const page = frame(VIEW, plain);
  expect(page).toContain("shop  1970-01-01T00:00:00.000Z  2 nodes  1 quiet  1 lost");
  expect(page).toContain("6 of 20 slots used  12 locks");
  expect(page).toMatch(/mail +5 +3 +1 +0 +2 +12 +1m +active/);
  expect(page).toMatch(/n1 +quiet \(ada: leak\) +3\/10/);
  expect(page).toMatch(/n2 +lost/);
  expect(page).toMatch(/n3 +running, to be stopped \(ada\)/);
  expect(page).toContain("and 2 more: millrace locks list");
  expect(page).not.toContain("\u001b");
});

test("an empty namespace is a page too", () => {
  const page = frame({ ...VIEW, queues: [], nodes: [], locks: [] }, plain);
  expect(page).toContain("no queues in namespace shop");
  expect(page).toContain("no nodes");
});
