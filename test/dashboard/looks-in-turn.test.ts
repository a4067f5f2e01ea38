// A look through all that waits takes up to two seconds: nobody can have many done at once.
import { expect, test } from "vitest";
import { BOB, heldBack, ORIGIN, scene, send } from "./scene.ts";

const PATIENT = { timeout: 20_000 };

const FILTERS = ["a", "b", "c", "d", "e"];

/** No page of delayed jobs is answered before all are let go. */
async function slowScene() {
  const { t, dashboard } = await scene({ user: () => BOB });
  await t.client.enqueue(send, { n: 1 }, { delay: "1h" });
  // It comes by its queue, and is put away there.
  await t.clock.advance("1s");
  const reading = heldBack(t.broker.delayed);
  const get = (path: string, signal?: AbortSignal): Promise<Response> =>
    dashboard(new Request(`${ORIGIN}/api/${path}`, signal === undefined ? {} : { signal }));
  return { t, reading, get };
}

test.each(["jobs", "jobs/count"])(
  "of many %s with filters by one who asks two are looked for at once",
  async (path) => {
    const { t, reading, get } = await slowScene();
    const asked = FILTERS.map((filter) => get(`${path}?state=delayed&filter=${filter}`));
    await expect.poll(() => reading.begun, PATIENT).toBe(2);
    await t.clock.advance("1s");
    expect(reading.begun).toBe(2);
    // Without a filter no more is read than is shown.
    void get("jobs?state=delayed");
    await expect.poll(() => reading.begun, PATIENT).toBe(3);
    reading.go.resolve();
    const answers = await Promise.all(asked);
    expect(answers.map(({ status }) => status)).toEqual(FILTERS.map(() => 200));
  },
);

test("what nobody waits for any more is not looked for", async () => {
  const { t, reading, get } = await slowScene();
  const leaving = new AbortController();
  const slow = FILTERS.slice(0, 2).map((filter) => get(`jobs?state=delayed&filter=${filter}`));
  const left = get("jobs?state=delayed&filter=x", leaving.signal).catch(() => undefined);
  await expect.poll(() => reading.begun, PATIENT).toBe(2);
  leaving.abort();
  await t.clock.advance("2s");
  reading.go.resolve();
  await Promise.all([...slow, left]);
  const before = reading.begun;
  expect((await get("jobs?state=delayed&filter=y")).status).toBe(200);
  expect([before, reading.begun]).toEqual([2, 3]);
});
