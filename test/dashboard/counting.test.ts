// A count before an operation may read all that waits: nobody can have the fleet do that at will.
import { defined } from "@millrace/core";
import { defineJob } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { ADA, BOB, heldBack, ORIGIN, scene, send } from "./scene.ts";

/** Looks at delayed jobs, of which none is answered before all are let go. */
async function slowScene() {
  const user = { now: ADA };
  const { t, dashboard } = await scene({ user: () => user.now });
  await t.enqueue(send, { n: 1 }, { id: "later", delay: "1h" });
  await t.clock.advance("1s");
  const looks = heldBack(t.broker.delayed);
  const ask = async (name: string, signal?: AbortSignal): Promise<Response> => {
    const filter = { where: `state=delayed name=${name}` };
    const target = encodeURIComponent(JSON.stringify({ kind: "jobs-cancel", filter }));
    const address = `${ORIGIN}/api/operations/count?target=${target}`;
    return dashboard(new Request(address, defined({ signal })));
  };
  return { t, user, looks, ask };
}

test("a viewer has nothing counted, whether an operator has it counted or not", async () => {
  const { user, looks, ask } = await slowScene();
  looks.go.resolve();
  user.now = BOB;
  expect((await ask("mail.send")).status).toBe(403);
  expect(looks.begun).toBe(0);
  user.now = ADA;
  expect(await (await ask("mail.send")).json()).toEqual({ count: 1 });
  user.now = BOB;
  expect((await ask("mail.send")).status).toBe(403);
});

test("one count is under way at a time, and none for who has left meanwhile", async () => {
  const { t, looks, ask } = await slowScene();
  const leaving = new AbortController();
  const first = ask("mail.send");
  const left = ask("mail.left", leaving.signal);
  const last = ask("mail.last");
  await t.clock.advance("1s");
  expect(looks.begun).toBe(1);
  leaving.abort();
  looks.go.resolve();
  expect(await (await first).json()).toEqual({ count: 1 });
  expect(await (await last).json()).toEqual({ count: 0 });
  expect((await left).ok).toBe(false);
  expect(looks.begun).toBe(2);
});

test("a count that takes too long says that there is more", async () => {
  const { t, looks, ask } = await slowScene();
  const asked = ask("mail.send");
  await t.clock.advance("11s");
  expect(await (await asked).json()).toEqual({ count: 0, more: true });
  looks.go.resolve();
});

test("a count, a list of jobs and an operation say how many nodes did not answer", async () => {
  const call = defineJob({ name: "phone.call", queue: "phone" });
  const ended = Promise.withResolvers<void>();
  onTestFinished(() => ended.resolve());
  const { t, get, post } = await scene({ jobs: [call.handler(() => ended.promise)] });
  await t.enqueue(call, {}, { id: "a" });
  await t.clock.advance("1s");
  t.broker.listRunning = async ({ awaited }) => {
    awaited?.onSilent(awaited.names);
    return [];
  };
  const filter = { queue: "phone", state: "running" };
  const target = { kind: "jobs-cancel", filter };
  const asked = `operations/count?target=${encodeURIComponent(JSON.stringify(target))}`;
  expect(await get(asked)).toEqual({ count: 1, unanswered: 1 });
  expect(await get("jobs?state=running")).toMatchObject({ jobs: [{ id: "a" }], unanswered: 1 });
  const begun = await (await post("operations", target)).json();
  const { operation } = begun as { readonly operation: string };
  expect(await get(`operations/${operation}`)).toMatchObject({ total: 1, unanswered: 1 });
});
