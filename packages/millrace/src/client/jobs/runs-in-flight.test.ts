import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "../../testing/test-runtime.ts";
import { runsInFlight } from "./runs-in-flight.ts";

test("where more jobs wait than are looked at, the queue is named", async () => {
  const trial = defineJob<null>({ name: "trial", queue: "trials", steps: true });
  const job = trial.handler(() => undefined);
  await using t = await createTestRuntime({ jobs: [job] });
  await t.client.queues.pause("trials");
  for (const id of ["a", "b"]) await t.client.enqueue(trial, null, { id });
  const now = (): number => t.clock.now();
  expect(await runsInFlight(t.broker, [job], now, 2)).toEqual({ runs: [], cut: ["trials"] });
  expect(await runsInFlight(t.broker, [job], now, 3)).toEqual({ runs: [], cut: [] });
});
