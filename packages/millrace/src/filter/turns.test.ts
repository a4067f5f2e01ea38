import type { HistoryRecord, StoredDeadLetter } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test, vi } from "vitest";
import { createClient } from "../client/client.ts";

const MANY = 100;

/** Each thing takes as long as others may wait. */
function slowly(): {
  readonly client: ReturnType<typeof createClient>;
  readonly turns: () => number;
} {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const of = { id: "x", queue: "mail", name: "send", node: "n1", attempts: 1, at: 1 } as const;
  const letters = Array.from({ length: MANY }, (_, n): StoredDeadLetter => ({
    ...{ ...of, reason: "fatal", body: new Uint8Array(), headers: {}, sequence: n + 1 },
  }));
  const records = Array.from({ length: MANY }, (): HistoryRecord => ({
    ...{ ...of, state: "succeeded", outcome: "succeeded", generation: 0 },
  }));
  broker.deadLetters.list = () => Promise.resolve(letters);
  broker.deadLetters.newest = () => Promise.resolve(MANY);
  broker.history.recent = () => Promise.resolve(records);
  let at = 0;
  const time = vi.spyOn(performance, "now").mockImplementation(() => (at += 10));
  let turns = 0;
  let isOver = false;
  onTestFinished(() => {
    isOver = true;
    time.mockRestore();
  });
  const count = (): void => void (isOver || ((turns += 1), setImmediate(count)));
  count();
  return { client: createClient(broker, clock), turns: () => turns };
}

test("while a filter looks through dead letters, others have their turn", async () => {
  const { client, turns } = slowly();
  expect(await client.dead.list({ where: "message~x" })).toEqual([]);
  expect(turns()).toBeGreaterThanOrEqual(MANY * 0.8);
});

test("and while it looks through records", async () => {
  const { client, turns } = slowly();
  expect(await client.jobs.list({ where: "message~x", limit: MANY })).toEqual([]);
  expect(turns()).toBeGreaterThanOrEqual(MANY * 0.8);
});
