import { EventEmitter } from "node:events";
import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";
import { stopOnSignals } from "./stop-on-signals.ts";

const hangs = defineJob({ name: "t.job", queue: QUEUE }).handler(() => new Promise(() => {}));

test.each(["SIGTERM", "SIGINT"])(
  "%s stops the node gracefully, a second one at once",
  async (signal) => {
    const source = new EventEmitter();
    const { node, clock, enqueue } = await simulatedNode({ jobs: [hangs], grace: "10s" });
    stopOnSignals(node, source);
    await enqueue("t.job");
    source.emit(signal);
    await clock.advance("1s");
    expect(node.state).toBe("draining");
    source.emit(signal);
    await clock.advance(0);
    await node.stopped;
    expect(clock.monotonic()).toBe(1_000);
  },
);

test("a stopped node has taken its handlers away", async () => {
  const source = new EventEmitter();
  const { node, clock } = await simulatedNode({ jobs: [hangs] });
  stopOnSignals(node, source);
  expect(source.eventNames()).toEqual(["SIGTERM", "SIGINT"]);
  const stopped = node.stop();
  await clock.advance(0);
  await stopped;
  await clock.advance(0);
  expect(source.eventNames()).toEqual([]);
});

test("they can be taken away before", async () => {
  const source = new EventEmitter();
  const { node } = await simulatedNode({ jobs: [hangs] });
  stopOnSignals(node, source)();
  source.emit("SIGTERM");
  expect(node.state).toBe("running");
});
