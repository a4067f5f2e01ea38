import { MillraceError } from "@millrace/core";
import { createMask } from "@millrace/telemetry/masking";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test, vi } from "vitest";
import { IndexThread } from "./sqlite/index-thread.ts";
import { type JobIndex, openJobIndex } from "./job-index.ts";

test.each([
  ["its jobs", (index: JobIndex) => index.caughtUp()],
  ["its rebuild", (index: JobIndex) => index.rebuild()],
])("who waits for %s while an index can't be used is told so in the end", async (what, wait) => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  const index = await openJobIndex({ broker, clock, mask: createMask() });
  onTestFinished(() => index.close());
  await index.caughtUp();
  const failure = new MillraceError("permission-denied", "It may not be used.");
  const looks =
    what === "its jobs"
      ? vi.spyOn(broker.history, "stretch").mockRejectedValue(failure)
      : vi.spyOn(IndexThread.prototype, "ask").mockRejectedValue(failure);
  const told = wait(index).then(
    () => "resolved",
    (error: unknown) => (MillraceError.is(error) ? error.code : "other"),
  );
  let state = "waits";
  void told.then((how) => (state = how));
  for (let looked = 0; looked < 50 && state === "waits"; looked += 1) {
    await clock.advance("5s");
    await index.status().catch(() => {});
  }
  expect(state).toBe("permission-denied");
  looks.mockRestore();
  const caught = index.caughtUp();
  for (let looked = 0; looked < 5; looked += 1) {
    await clock.advance("5s");
    await index.status();
  }
  await caught;
});
