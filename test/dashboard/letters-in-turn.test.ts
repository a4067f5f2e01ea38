// All dead letters are read where few fit: nobody can have that done at will.
import { expect, test } from "vitest";
import { BOB, heldBack, ORIGIN, scene } from "./scene.ts";

/** No page of dead letters is answered before all are let go. */
async function slowScene() {
  const { t, dashboard } = await scene({ user: () => BOB });
  const reading = heldBack(t.broker.deadLetters);
  const ask = (path: string): Promise<Response> => dashboard(new Request(`${ORIGIN}/api/${path}`));
  const letters = (where: string): string =>
    `dead/letters?filter=${encodeURIComponent(JSON.stringify({ where }))}`;
  return { t, reading, ask, letters };
}

test("dead letters are read for one who asks at a time", async () => {
  const { t, reading, ask, letters } = await slowScene();
  const asked = [letters("a"), letters("b"), "errors?filter=c", "errors?filter=d"].map(ask);
  await t.clock.advance("1s");
  expect(reading.begun).toBe(1);
  reading.go.resolve();
  const answers = await Promise.all(asked);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(reading.begun).toBe(4);
});

test("a reading that takes too long ends, and the next one has its turn", async () => {
  const { t, reading, ask, letters } = await slowScene();
  const asked = [letters("a"), letters("b")].map(ask);
  await t.clock.advance("11s");
  expect((await asked[0])?.status).toBe(503);
  reading.go.resolve();
  expect((await asked[1])?.status).toBe(200);
});
