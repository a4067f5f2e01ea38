import { defineJob } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { createNode } from "@millrace/runtime";
import { expect, test } from "vitest";
import { createClient } from "../client.ts";
import type { Millrace } from "../millrace.ts";
import type { NewTime } from "./delayed.ts";

const HOUR_MS = 3_600_000;
const ran: string[] = [];
const remind = defineJob<{ to: string }>({ name: "mail.remind", queue: "mail" });

async function withNode(): Promise<{
  client: Millrace;
  clock: SimulatedClock;
  stop(): Promise<void>;
}> {
  ran.length = 0;
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const node = createNode({
    broker,
    clock,
    jobs: [remind.handler(({ input }) => void ran.push(input.to))],
  });
  await node.start();
  return { client: createClient(broker, clock), clock, stop: () => node.stop() };
}

test("delayed jobs are listed soonest first, moved, and run once at their new times", async () => {
  const { client, clock, stop } = await withNode();
  const start = clock.now();
  await client.enqueue(remind, { to: "late" }, { id: "late", delay: "2h" });
  await client.enqueue(remind, { to: "soon" }, { id: "soon", delay: "1h" });
  await clock.advance(10);
  expect(await client.delayed.count("mail")).toBe(2);
  expect(
    (await client.delayed.list({ queue: "mail" })).map(({ id, notBefore }) => [id, notBefore]),
  ).toEqual([
    ["soon", start + HOUR_MS],
    ["late", start + 2 * HOUR_MS],
  ]);
  expect(await client.delayed.move("late", "mail", { delay: "10m" })).toBe(true);
  expect(await client.delayed.move("soon", "mail", new Date(start + 3 * HOUR_MS))).toBe(true);
  await clock.advance(HOUR_MS);
  expect(ran).toEqual(["late"]);
  expect(await client.delayed.move("soon", "mail", "now")).toBe(true);
  await clock.advance(10);
  expect(ran).toEqual(["late", "soon"]);
  expect(await client.delayed.move("soon", "mail", "now")).toBe(false);
  await clock.advance(5 * HOUR_MS);
  expect(ran).toEqual(["late", "soon"]);
  await stop();
});

test.each<[unknown, string]>([
  ["tomorrow", "invalid-option"],
  [new Date("nonsense"), "invalid-option"],
  [{ delay: "1 fortnight" }, "invalid-duration"],
  ...["", [], [0], true, false, 5n, "1000", null, Object.create(null), Symbol("s"), () => 1].map(
    (to): [unknown, string] => [to, "invalid-option"],
  ),
])("%o is no time, and the job keeps its own", async (to, code) => {
  const { client, clock, stop } = await withNode();
  await client.enqueue(remind, { to: "late" }, { id: "late", delay: "2h" });
  await clock.advance(10);
  await expect(client.delayed.move("late", "mail", to as NewTime)).rejects.toMatchObject({ code });
  await clock.advance(HOUR_MS);
  expect(ran).toEqual([]);
  await stop();
});
