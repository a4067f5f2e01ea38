import { defineJob, type MetricsCollector, noMetrics } from "@millrace/core";
import { expect, test } from "vitest";
import { latch, makeNode, QUEUE } from "../fixtures/simulated-node.ts";

test("a node in which a job waits for memory, still unread, says how it is and who runs", async () => {
  const held = latch();
  const told: number[] = [];
  const metrics: MetricsCollector = {
    ...noMetrics,
    gauge: (name, _labels, value) => {
      if (name === "millrace_node_ready" && value !== undefined) told.push(value);
    },
  };
  const large = defineJob({ name: "large", queue: QUEUE }).handler(() => held.promise);
  const { node, broker, clock, enqueue, said } = makeNode({
    ...{ jobs: [large], slots: 4, jobMemoryMb: 1, metrics },
  });
  await broker.queues.ensure(QUEUE);
  const createdAt = clock.now();
  for (const id of ["a", "b"]) await enqueue("large", "x".repeat(900_000), { id });
  await node.start();
  await clock.advance("5s");
  expect(node.running.map(({ id }) => id)).toEqual(["a"]);
  expect(node.health()).toMatchObject({ ready: true, running: 1, queues: [{ used: 2 }] });
  const meant = { queue: QUEUE, createdAt, timeoutMs: 100 };
  expect(await broker.whoRuns("a", meant)).toMatchObject({ id: "a", node: "n1" });
  held.open();
  await clock.advance("5s");
  expect(said.filter((line) => line.includes("succeeded"))).toHaveLength(2);
  expect(told.at(-1)).toBe(1);
});
