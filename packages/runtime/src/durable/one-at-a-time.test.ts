import { NotNow } from "@millrace/core";
import { SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { OneAtATime } from "./one-at-a-time.ts";

function scene() {
  const clock = new SimulatedClock();
  const told: string[] = [];
  return { clock, told, turns: new OneAtATime({ clock, onLong: (key) => void told.push(key) }) };
}

test("what has one key runs in turn, also after one that failed; the rest side by side", async () => {
  const { turns, told } = scene();
  const ran: string[] = [];
  const first = Promise.withResolvers<void>();
  const all = [
    turns.run("a", async () => {
      await first.promise;
      ran.push("a1");
      throw new Error("no");
    }),
    turns.run("a", async () => void ran.push("a2")),
    turns.run("b", async () => void ran.push("b1")),
  ];
  await all[2];
  expect(ran).toEqual(["b1"]);
  first.resolve();
  expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual([
    ...["rejected", "fulfilled", "fulfilled"],
  ]);
  expect(ran).toEqual(["b1", "a1", "a2"]);
  expect(told).toEqual([]);
});

test("who waits for long is refused, and the next at once; it is told once", async () => {
  const { clock, turns, told } = scene();
  const endless = Promise.withResolvers<void>();
  const running = turns.run("a", () => endless.promise);
  const waiting = turns.run("a", () => Promise.reject(new Error("it must not run")));
  const refused = expect(waiting).rejects.toBeInstanceOf(NotNow);
  await clock.advance(5_000);
  await refused;
  await expect(turns.run("a", async () => {})).rejects.toBeInstanceOf(NotNow);
  expect(told).toEqual(["a"]);
  endless.resolve();
  await running;
  expect(await turns.run("a", async () => "ran")).toBe("ran");
});
