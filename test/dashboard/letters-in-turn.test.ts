// All dead letters may be read for one answer: for nobody who has left.
import { defined } from "@millrace/core";
import { expect, test } from "vitest";
import { heldBack, ORIGIN, scene } from "./scene.ts";

/** An answer is sought for two seconds more after all have left. */
const GIVEN_UP = "3s";

/** No page of dead letters is answered before all are let go. */
async function slowScene() {
  const { t, dashboard } = await scene();
  const reading = heldBack(t.broker.deadLetters);
  const ask = async (path: string, signal?: AbortSignal): Promise<Response> =>
    dashboard(new Request(`${ORIGIN}/api/${path}`, defined({ signal })));
  return { t, reading, ask };
}

const LETTERS = (name: string): string =>
  `dead/letters?filter=${encodeURIComponent(JSON.stringify({ where: `name=${name}` }))}`;
const CAUSES = (name: string): string => `errors?filter=name=${name}`;

test.each([
  ["dead/letters", LETTERS],
  ["errors", CAUSES],
])("%s: who has left while others have their turn has none", async (_, path) => {
  const { t, reading, ask } = await slowScene();
  const leaving = new AbortController();
  const first = ask(path("a"));
  await t.clock.advance("1s");
  const left = ask(path("b"), leaving.signal);
  const last = ask(path("c"));
  await t.clock.advance("1s");
  expect(reading.begun).toBe(1);
  leaving.abort();
  await t.clock.advance(GIVEN_UP);
  reading.go.resolve();
  expect((await first).status).toBe(200);
  expect((await last).status).toBe(200);
  expect((await left).ok).toBe(false);
  expect(reading.begun).toBe(2);
});

test("who leaves while letters are read for it makes room for the next", async () => {
  const { t, reading, ask } = await slowScene();
  const leaving = new AbortController();
  const left = ask(LETTERS("a"), leaving.signal);
  await t.clock.advance("1s");
  expect(reading.begun).toBe(1);
  leaving.abort();
  await t.clock.advance(GIVEN_UP);
  expect((await left).ok).toBe(false);
  void ask(LETTERS("b"));
  await t.clock.advance("1s");
  expect(reading.begun).toBe(2);
  reading.go.resolve();
});

test("one of two who ask the same may leave: the other has its answer", async () => {
  const { t, reading, ask } = await slowScene();
  const leaving = new AbortController();
  const left = ask(LETTERS("a"), leaving.signal);
  await t.clock.advance("1s");
  const other = ask(LETTERS("a"));
  await t.clock.advance("1s");
  leaving.abort();
  reading.go.resolve();
  expect((await other).status).toBe(200);
  await left;
  expect(reading.begun).toBe(1);
});
