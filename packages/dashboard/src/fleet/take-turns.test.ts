import { expect, test } from "vitest";
import { takeTurns } from "./take-turns.ts";

const PATIENT = { timeout: 20_000 };

/** Tasks that run until they are ended, and which of them run. */
function scene(atOnce?: number) {
  const inTurn = takeTurns(atOnce);
  const running = new Map<string, PromiseWithResolvers<string>>();
  const ask = (name: string, left?: AbortSignal): Promise<string> =>
    inTurn(() => {
      const ending = Promise.withResolvers<string>();
      running.set(name, ending);
      return ending.promise.finally(() => running.delete(name));
    }, left);
  return { ask, running, names: () => [...running.keys()] };
}

test("one runs at a time, in the order in which they came, also after one that failed", async () => {
  const { ask, running, names } = scene();
  const [a, b, c] = [ask("a"), ask("b"), ask("c")];
  expect(names()).toEqual(["a"]);
  running.get("a")?.reject(new Error("away"));
  await expect(a).rejects.toThrow("away");
  await expect.poll(names, PATIENT).toEqual(["b"]);
  running.get("b")?.resolve("done");
  expect(await b).toBe("done");
  await expect.poll(names, PATIENT).toEqual(["c"]);
  running.get("c")?.resolve("done");
  expect(await c).toBe("done");
});

test("two run at a time where two may, and one that comes when all have ended runs at once", async () => {
  const { ask, running, names } = scene(2);
  const all = ["a", "b", "c"].map((name) => ask(name));
  expect(names()).toEqual(["a", "b"]);
  running.get("b")?.resolve("done");
  await expect.poll(names, PATIENT).toEqual(["a", "c"]);
  for (const ending of running.values()) ending.resolve("done");
  expect(await Promise.all(all)).toEqual(["done", "done", "done"]);
  const later = [ask("d"), ask("e"), ask("f")];
  expect(names()).toEqual(["d", "e"]);
  for (const ending of running.values()) ending.resolve("done");
  await expect.poll(names, PATIENT).toEqual(["f"]);
  running.get("f")?.resolve("done");
  await Promise.all(later);
});

test("whoever has left before its turn is not run, and holds up nobody", async () => {
  const { ask, running, names } = scene();
  const leaving = new AbortController();
  const first = ask("a");
  const second = ask("b", leaving.signal);
  const third = ask("c");
  leaving.abort(new Error("left"));
  running.get("a")?.resolve("done");
  await first;
  await expect(second).rejects.toThrow("left");
  await expect.poll(names, PATIENT).toEqual(["c"]);
  running.get("c")?.resolve("done");
  expect(await third).toBe("done");
});
