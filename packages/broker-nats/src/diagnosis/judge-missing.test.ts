import { expect, test } from "vitest";
import { judgeMissing } from "./judge-missing.ts";
import type { NodeSeen } from "./node-seen.ts";

const node = (name: string, queues: readonly string[], silentMs = 4_000): NodeSeen => ({
  ...{ name, silentMs, seenAt: 1_000_000 },
  report: { queues: queues.map((queue) => ({ queue })) },
});

test("a queue that living nodes serve and that has no stream is named, with its nodes", () => {
  const nodes = [
    node("b", ["mail", "print"]),
    node("a", ["mail"]),
    node("dead", ["gone"], 60_000),
    { ...node("odd", []), report: "?" },
  ];
  const has = (queue: string): boolean => queue === "print";
  expect(judgeMissing(nodes, has)).toMatchObject([
    {
      status: "fail",
      check: "queue mail",
      message: "has no stream, and a, b serve it: producers are refused",
    },
  ]);
  expect(judgeMissing(nodes, () => true)).toEqual([]);
});
