import { defineJob, type ProgressReport } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { createClient } from "../client.ts";

const report = (value: number, at: number, more: Partial<ProgressReport> = {}): ProgressReport => ({
  ...{ value, attempt: 1, at, node: "a" },
  ...more,
});

test("what is told again after an outage never takes a reader back", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  await using client = createClient(broker, clock);
  await client.queues.ensure("mail");
  const handle = await client.enqueue(defineJob({ name: "n", queue: "mail" }), null);
  const seen: number[] = [];
  const read = (async () => {
    for await (const { value } of handle.progress()) {
      seen.push(value);
      if (value === 9) return;
    }
  })();
  await clock.advance(0);
  const told = [
    report(1, 10),
    report(2, 20),
    report(1, 10),
    report(2, 20),
    report(3, 30),
    // Another attempt, and another node with a clock of its own, begin anew.
    report(0.5, 5, { attempt: 2 }),
    report(0.7, 1, { attempt: 2, node: "b" }),
    report(9, 40, { attempt: 2, node: "b" }),
  ];
  for (const one of told) {
    await broker.progress.put(handle, one);
    await clock.advance(0);
  }
  await read;
  expect(seen).toEqual([1, 2, 3, 0.5, 0.7, 9]);
});
