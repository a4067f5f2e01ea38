// Jobs are read for each letter that somebody types: nobody can have that done at will.
import { expect, test } from "vitest";
import { BOB, heldBack, ORIGIN, scene } from "./scene.ts";

/** No page of delayed jobs is answered before all are let go. */
async function slowScene() {
  const { t, dashboard } = await scene({ user: () => BOB });
  const reading = heldBack(t.broker.delayed);
  const asked = ["p", "pa", "pay"].map((filter) =>
    dashboard(new Request(`${ORIGIN}/api/jobs/completions?state=delayed&filter=${filter}`)),
  );
  return { t, reading, asked };
}

test("a filter on jobs is completed for one who asks at a time", async () => {
  const { t, reading, asked } = await slowScene();
  await t.clock.advance("1s");
  expect(reading.begun).toBe(1);
  reading.go.resolve();
  const answers = await Promise.all(asked);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(reading.begun).toBe(3);
});

test("a completion that takes too long ends, and the next one has its turn", async () => {
  const { t, reading, asked } = await slowScene();
  await t.clock.advance("11s");
  expect((await asked[0])?.status).toBe(503);
  reading.go.resolve();
  expect((await asked[1])?.status).toBe(200);
});
