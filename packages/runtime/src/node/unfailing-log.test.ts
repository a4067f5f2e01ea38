import { defineJob, type Logger, silentLogger } from "@millrace/core";
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
  let isBroken = false;
  const { clock, node, enqueue, history } = await simulatedNode({
    ...{ jobs: [fails], log, slots: 1, lease: "1s" },
    random: () => {
      if (isBroken) throw new Error("no entropy");
      return 0.5;
    },
  });
  isBroken = true;
  await enqueue("fails");
  expect(node.running).toEqual([]);
  expect(await history()).toEqual([]);
  isBroken = false;
  await clock.advance("2s");
  expect(await history()).toMatchObject([{ state: "dead" }]);
});

test("a metrics collector that throws costs a log line, and no node, attempt or settlement", async () => {
  const said: string[] = [];
  const metrics = { increment: broken, observe: broken, gauge: broken, onCollect: broken };
  const { clock, node, enqueue, history } = await simulatedNode({
    ...{ jobs: [fails], metrics, slots: 1, lease: "1s" },
    log: { ...silentLogger, error: (_fields: object, line: string) => void said.push(line) },
  });
  await enqueue("fails");
  // Readiness and the event loop are told of in timers.
  await clock.advance("5s");
  expect(node.state).toBe("running");
  expect(await history()).toMatchObject([{ state: "dead", attempts: 1 }]);
  expect(new Set(said)).toEqual(new Set(["the metrics collector threw"]));
});
