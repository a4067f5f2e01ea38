import { expect, test } from "vitest";
import { ADA, ask, BOB, scene } from "./scene.ts";

const SIGNAL = "jobs/mail/m1/signal";
const WEEK_MS = 7 * 86_400_000;

async function asking(user = ADA) {
  const of = await scene({ user: () => user });
  await of.t.enqueue(ask, undefined, { id: "m1" });
  await of.t.clock.advance("1s");
  return of;
}

test("a job's steps are told masked, with what each waits for, and how many there were once they are gone", async () => {
  const { get, t } = await asking();
  const until = expect.any(Number) as number;
  const job = await get<{ readonly steps: readonly { readonly at: number }[] }>("jobs/mail/m1");
  expect(job).toMatchObject({
    state: "delayed",
    steps: [
      { name: "draft", n: 0, state: "done", result: { text: "hello", apiKey: "***" } },
      { name: "a moment", state: "done" },
      { name: "approval", state: "waiting", until },
    ],
  });
  const last = job.steps.at(-1) as { readonly at: number; readonly until: number };
  expect(last.until - last.at).toBeLessThanOrEqual(WEEK_MS);
  await t.client.signal(ask, "m1", "approval", "yes");
  await t.drain({ maxTime: "10m" });
  const ended = await get<object>("jobs/mail/m1");
  expect(ended).toMatchObject({ state: "succeeded", result: "yes", stepCount: 4 });
  expect(ended).not.toHaveProperty("steps");
});

test("an operator's signal is taken, and on record without its value; a second one of an ended job is refused", async () => {
  const { get, post, t } = await asking();
  const answer = await post(SIGNAL, { name: "approval", value: { ok: true, password: "hunter2" } });
  expect(await answer.json()).toEqual({ count: 1, failed: [] });
  await t.clock.advance("5s");
  expect(await get("jobs/mail/m1")).toMatchObject({
    steps: [{}, {}, { name: "approval", state: "done", result: { ok: true, password: "***" } }, {}],
  });
  await t.drain({ maxTime: "10m" });
  const late = await post(SIGNAL, { name: "approval" });
  expect(late.status).toBe(409);
  expect(await late.json()).toMatchObject({ error: { code: "job-ended" } });
  const audit = await get<readonly object[]>("audit");
  expect(audit).toMatchObject([
    { action: "jobs signal", by: ADA.name, outcome: "failed: job-ended" },
    { action: "jobs signal", outcome: "1 done", which: "queue=mail id=m1 signal=approval" },
  ]);
  expect(JSON.stringify(audit)).not.toContain("hunter2");
});

test.each([
  ["no name", {}],
  ["a name that is none", { name: "a b" }],
  ["a misspelt field", { name: "approval", valeu: 1 }],
])("no signal is sent with %s", async (_what, body) => {
  const { get, post, t } = await asking();
  expect((await post(SIGNAL, body)).status).toBe(400);
  await t.clock.advance("5s");
  expect(await get("jobs/mail/m1")).toMatchObject({ steps: [{}, {}, { state: "waiting" }] });
});

test("neither a viewer nor another site's form signals a job", async () => {
  const viewed = await asking(BOB);
  expect((await viewed.post(SIGNAL, { name: "approval" })).status).toBe(403);
  const owned = await asking();
  const form = { "content-type": "application/x-www-form-urlencoded" };
  expect((await owned.post(SIGNAL, { name: "approval" }, form)).status).toBe(403);
  for (const { get, t } of [viewed, owned]) {
    await t.clock.advance("5s");
    expect(await get("jobs/mail/m1")).toMatchObject({ steps: [{}, {}, { state: "waiting" }] });
    expect(await get("audit")).toEqual([]);
  }
});
