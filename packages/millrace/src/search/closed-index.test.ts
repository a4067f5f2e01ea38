import { createMask } from "@millrace/telemetry/masking";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { openJobIndex } from "./job-index.ts";

const STRETCHES = 40;

test("an index that is closed while it reads a long history does not read it to its end", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  const second = Promise.withResolvers<void>();
  const closes = Promise.withResolvers<void>();
  let read = 0;
  broker.history.stretch = async ({ after }) => {
    read += 1;
    if (read === 2) second.resolve();
    if (read === 3) await closes.promise;
    return { oldest: 1, newest: STRETCHES, until: after + 1, records: [] };
  };
  const index = await openJobIndex({ broker, clock, mask: createMask() });
  onTestFinished(() => index.close());
  const caught = index.caughtUp();
  await second.promise;
  const closed = index.close();
  closes.resolve();
  await Promise.all([closed, caught]);
  expect(read).toBeLessThan(5);
});
