import { MillraceError } from "@millrace/core";
import { createMask } from "@millrace/telemetry/masking";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test, vi } from "vitest";
import { openJobIndex } from "./job-index.ts";

test("who waits for an index that can't read its server is told so in the end", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  const index = await openJobIndex({ broker, clock, mask: createMask() });
  onTestFinished(() => index.close());
  await index.caughtUp();
  const looks = vi
    .spyOn(broker.history, "stretch")
    .mockRejectedValue(new MillraceError("permission-denied", "The history may not be read."));
  const told = index.caughtUp().then(
    () => "resolved",
    (error: unknown) => (MillraceError.is(error) ? error.code : "other"),
  );
  let state = "waits";
  void told.then((how) => (state = how));
  for (let looked = 0; looked < 50 && state === "waits"; looked += 1) {
    await clock.advance("5s");
    await index.status();
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
