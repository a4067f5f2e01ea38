import { defineJob, type Logger, noMetrics } from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

const broken = (): never => {
  throw new Error("ENOSPC: no space left on device");
};
const log: Logger = { debug: broken, info: broken, warn: broken, error: broken, child: broken };

const fails = defineJob({ name: "fails", queue: QUEUE, retry: "none" }).handler((context) => {
  context.log.info({}, "it begins");
  throw new Error("no");
});

test("a logger that throws ends no node and no attempt", async () => {
  const { node, enqueue, history } = await simulatedNode({ jobs: [fails], log });
  await enqueue("fails");
  expect(node.state).toBe("running");
  expect(await history()).toMatchObject([{ state: "dead", error: { message: "no" } }]);
});

test("where a job's way breaks off, its slot is free although its logger throws", async () => {
  let isBroken = true;
  const { clock, node, enqueue, history } = await simulatedNode({
    ...{ jobs: [fails], log, slots: 1, lease: "1s" },
    metrics: {
      ...noMetrics,
      observe: () => {
        if (isBroken) throw new Error("no metrics");
      },
    },
  });
  await enqueue("fails");
  expect(node.running).toEqual([]);
  isBroken = false;
  await clock.advance("2s");
  expect(await history()).toMatchObject([{ state: "dead" }]);
});
