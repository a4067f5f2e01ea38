import type { HistoryRecord, HistoryStore } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/core/testing";
import { expect, test } from "vitest";
import { awaitResult } from "./job-result.ts";

const RECORD: HistoryRecord = {
  ...{ id: "r", name: "n", queue: "mail", state: "succeeded", outcome: "succeeded" },
  ...{ attempts: 1, generation: 1, node: "a", at: 1, output: "done" },
};

/** A broker with one record in its history, of which nobody is told. */
class UntoldRecord extends MemoryBroker {
  looks = 0;
  readable = false;
  override readonly history: HistoryStore = {
    read: () => {
      this.looks += 1;
      return Promise.resolve(this.readable ? [RECORD] : []);
    },
    stored: () => Promise.resolve([]),
    endOf: () => Promise.resolve(undefined),
    last: () => Promise.resolve(undefined),
    recent: () => Promise.resolve([]),
    tail: () => Promise.resolve([]),
    follow: () => Promise.resolve({ stop: () => Promise.resolve() }),
    watch: () => Promise.resolve({ stop: () => Promise.resolve() }),
  };
}

test.each(["at first", "after a reconnect"])(
  "a record that neither subscribers nor readers met %s is found a moment later",
  async (when) => {
    const clock = new SimulatedClock();
    const broker = new UntoldRecord({ clock });
    const result = awaitResult(broker, RECORD, undefined, clock);
    await clock.advance(0);
    if (when === "after a reconnect") {
      await clock.advance("1h");
      broker.disconnect();
      broker.looks = 0;
      broker.reconnect();
      await clock.advance(0);
    }
    expect(broker.looks).toBe(1);
    broker.readable = true;
    await clock.advance("1s");
    expect(broker.looks).toBe(2);
    expect(await result).toBe("done");
  },
);

test("one that is long in coming is not looked for all the time", async () => {
  const clock = new SimulatedClock();
  const broker = new UntoldRecord({ clock });
  const result = awaitResult(broker, RECORD, 3_600_000, clock);
  const end = expect(result).rejects.toMatchObject({ code: "result-timeout" });
  await clock.advance("1h");
  await end;
  expect(broker.looks).toBe(2);
});
