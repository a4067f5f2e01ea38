import { DEFAULT_MAX_VALUES, encodeMsgpack } from "@millrace/core";
import { defineJob } from "millrace";
import type { DashboardUser } from "millrace/dashboard";
import { describe, expect, test } from "vitest";
import { claim } from "./claim.ts";
import { ADA, BOB, charge, EVE, OF_THE_PAGE, ORIGIN, type Scene, scene, send } from "./scene.ts";

const SECRETS = /k-123456|hunter2/;
const REVEAL = "jobs/billing/c-1/reveal";
const EDIT = "jobs/billing/c-1/edit";

/** A dead job with a key in its payload, one that succeeded, and a machine with a password. */
async function secrets(user: DashboardUser): Promise<Scene> {
  const of = await scene({ user: () => user });
  await of.t.enqueue(charge, { n: 1, apiKey: "k-123456" }, { id: "c-1" });
  await of.t.enqueue(send, { n: 7 }, { id: "m-1" });
  await of.t.drain();
  await of.t.machine(claim, "c-1").start({ customer: "ann" });
  await of.t.clock.advance("1s");
  return of;
}

const print = defineJob<unknown>({ name: "print", queue: "mail", retry: "none" });

/** Jobs that die at once, and with what they ran. */
async function printing() {
  const inputs: unknown[] = [];
  const handled = print.handler(({ input }) => {
    inputs.push(input);
    throw new Error("no such address");
  });
  const of = await scene({ user: () => ({ ...ADA, payloads: true }), jobs: [handled] });
  return { ...of, inputs };
}

const told = async (answer: Promise<Response>): Promise<string> => (await answer).text();

describe("who has the right to payloads", () => {
  test("sees what is masked of a job, and that is on record with the name", async () => {
    const { get, post } = await secrets(EVE);
    expect(await get("session")).toMatchObject({ user: EVE });
    expect(JSON.stringify(await get("jobs/billing/c-1"))).not.toMatch(SECRETS);
    const answer = await post(REVEAL, {});
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(await answer.json()).toMatchObject({ payload: { n: 1, apiKey: "k-123456" } });
    expect(await get("audit")).toMatchObject([
      { action: "jobs reveal", by: EVE.name, which: "queue=billing id=c-1", outcome: "1 done" },
    ]);
    expect(JSON.stringify(await get("audit"))).not.toMatch(SECRETS);
  });

  test("sees a job's result and a machine's context", async () => {
    const { get, post, bankIs, t } = await secrets(EVE);
    expect(await (await post("machines/claim/c-1/reveal", {})).json()).toEqual({
      context: { customer: "ann", password: "hunter2hunter2", note: "" },
    });
    bankIs("up");
    await t.client.dead.retry({ id: "c-1" });
    await t.drain();
    expect(await (await post(REVEAL, {})).json()).toEqual({
      result: { charged: 1, password: "hunter2hunter2" },
    });
    expect(await get("audit")).toMatchObject([
      { action: "jobs reveal", by: EVE.name },
      { action: "machines reveal", which: "machine=claim id=c-1", by: EVE.name },
    ]);
  });

  test("sees the payload of a job that waits, which is masked for everybody else", async () => {
    const { get, post, t } = await secrets(EVE);
    const input = { n: 3, apiKey: "k-123456" };
    const key = ["AKIA", "IOSFODNN7EXAMPLE"].join("");
    await t.client.enqueue(charge, input, { id: "later", delay: "1h", tags: ["vip", key] });
    await t.clock.advance("1s");
    const path = "jobs/billing/later";
    expect(await get(path)).toMatchObject({
      cargo: { payload: { n: 3, apiKey: "***" }, tags: ["vip", "***"] },
    });
    expect(JSON.stringify(await get(path))).not.toMatch(SECRETS);
    expect(await (await post(`${path}/reveal`, {})).json()).toMatchObject({ payload: input });
    expect(await get("audit")).toMatchObject([
      { action: "jobs reveal", by: EVE.name, which: "queue=billing id=later" },
    ]);
    await t.clock.advance("2h");
    // It has died meanwhile: its letter has the payload.
    expect(await get(path)).not.toHaveProperty("cargo");
  });

  test("leaves a record of what was not found, too", async () => {
    const { get, post } = await secrets(EVE);
    expect((await post("jobs/billing/none/reveal", {})).status).toBe(404);
    expect(await get("audit")).toMatchObject([{ outcome: "failed: job-not-found" }]);
  });

  test("is told nothing where no record can be written", async () => {
    const { post, t } = await secrets(EVE);
    t.client.audit.perform = () => Promise.reject(new Error("no room"));
    const answer = await post(REVEAL, {});
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toMatch(SECRETS);
  });

  test("changes nothing by it", async () => {
    const { get, post } = await secrets(EVE);
    for (const path of [EDIT, "dead/discard", "queues/mail/pause", "machines/claim/c-1/send"])
      expect((await post(path, { merge: true, value: {} })).status, path).toBe(403);
    expect(await get("audit")).toEqual([]);
  });
});

describe("who has not", () => {
  test.each([
    ["an operator", ADA],
    ["a viewer", BOB],
    ["who says so in a word", { ...ADA, payloads: "yes" } as unknown as DashboardUser],
    ["who says so by a number", { ...ADA, payloads: 1 } as unknown as DashboardUser],
  ])("is told nothing of it by any way: %s", async (_who, user) => {
    const { dashboard, get, post } = await secrets(user);
    expect(await get("session")).toMatchObject({ user: { name: user.name } });
    const bodies = [{}, { payloads: true }, { user: EVE }, { unmasked: true, show: true }];
    for (const path of [
      ...[REVEAL, "machines/claim/c-1/reveal", "jobs/billing/c-1/%72eveal"],
      ...["jobs/billing/c%2D1/reveal", "jobs/billing/c-1/reveal?payloads=true"],
      ...["jobs/billing/c-1/reveal/", "jobs//billing/c-1/reveal", "JOBS/billing/c-1/REVEAL"],
      ...["jobs/billing/c-1/cancel/../reveal", "jobs/billing/c-1/edit/reveal"],
    ])
      for (const body of bodies) {
        const answer = await post(path, body);
        expect([403, 404], path).toContain(answer.status);
        expect(await answer.text(), path).not.toMatch(SECRETS);
      }
    for (const method of ["GET", "PUT", "PATCH", "DELETE", "HEAD"]) {
      const request = new Request(`${ORIGIN}/api/${REVEAL}`, { method, headers: OF_THE_PAGE });
      expect(await told(dashboard(request)), method).not.toMatch(SECRETS);
    }
    for (const query of ["?reveal=1", "?show=true", "?payloads=true", "?unmasked"])
      expect(JSON.stringify(await get(`jobs/billing/c-1${query}`))).not.toMatch(SECRETS);
    expect(await get("audit")).toEqual([]);
  });

  test("gets nothing of what was told somebody else a moment ago", async () => {
    let user: DashboardUser = EVE;
    const of = await scene({ user: () => user });
    await of.t.enqueue(charge, { n: 1, apiKey: "k-123456" }, { id: "c-1" });
    await of.t.drain();
    expect(await told(of.post(REVEAL, {}))).toMatch(SECRETS);
    user = ADA;
    const answers = [of.post(REVEAL, {}), of.dashboard(new Request(`${ORIGIN}/api/${REVEAL}`))];
    for (const answer of answers) expect(await told(answer)).not.toMatch(SECRETS);
    for (const path of ["jobs/billing/c-1", "audit", "errors"])
      expect(JSON.stringify(await of.get(path)), path).not.toMatch(SECRETS);
  });

  test("another site can't have it looked at in the name of who has", async () => {
    const { post, get } = await secrets(EVE);
    for (const headers of [
      { "content-type": "application/x-www-form-urlencoded" },
      { "content-type": "application/json" },
      { ...OF_THE_PAGE, "sec-fetch-site": "cross-site" },
      { ...OF_THE_PAGE, origin: "https://evil.example" },
    ])
      expect((await post(REVEAL, {}, headers)).status).toBe(403);
    expect(await get("audit")).toEqual([]);
  });
});

describe("another payload", () => {
  test("is merged by who can't see the old one, whose secrets stay as they were", async () => {
    const { get, post, t, bankIs } = await secrets(ADA);
    bankIs("up");
    const answer = await post(EDIT, { merge: true, value: { n: 2 } });
    expect(await answer.json()).toEqual({ count: 1, failed: [] });
    expect((await t.client.jobs.get("c-1", { queue: "billing" })).state).not.toBe("dead");
    await t.drain();
    expect(await get("jobs/billing/c-1")).toMatchObject({ result: { charged: 2 } });
    expect(await get("audit")).toMatchObject([
      { action: "dead edit", by: ADA.name, which: "queue=billing id=c-1", outcome: "1 done" },
    ]);
  });

  test("that is merged keeps what it does not name, and one that is whole does not", async () => {
    const { post, t } = await secrets({ ...ADA, payloads: true });
    const payload = async (): Promise<unknown> => {
      await t.drain();
      return (await post(REVEAL, {})).json();
    };
    await post(EDIT, { merge: true, value: { n: 3 } });
    expect(await payload()).toMatchObject({ payload: { n: 3, apiKey: "k-123456" } });
    await post(EDIT, { merge: false, value: { n: 4 } });
    expect(await payload()).toMatchObject({ payload: { n: 4 } });
    expect(JSON.stringify(await payload())).not.toMatch(SECRETS);
  });

  test("that is merged keeps bytes, times and what no JSON has a form for", async () => {
    const { get, post, t, inputs } = await printing();
    const kept = { pdf: new Uint8Array(17), at: new Date(5), score: Number.NaN, n: 1 };
    await t.enqueue(print, { to: "nobody", ...kept }, { id: "p-1" });
    await t.enqueue(print, { to: "nobody", n: 1 }, { id: "p-2" });
    await t.drain();
    expect(await (await post("jobs/mail/p-1/reveal", {})).json()).toMatchObject({
      ...{ payload: { to: "nobody", n: 1 }, editedBy: "merge" },
    });
    expect(await (await post("jobs/mail/p-2/reveal", {})).json()).toMatchObject({
      ...{ payload: { to: "nobody", n: 1 }, editedBy: "text" },
    });
    await post("jobs/mail/p-1/edit", { merge: true, value: { to: "ada" } });
    await t.drain();
    expect(inputs.at(-1)).toEqual({ to: "ada", ...kept });
    expect(await get("jobs/mail/p-1")).toMatchObject({ state: "dead" });
  });

  test.each([
    ["bytes", new Uint8Array(17)],
    ["a time", new Date(5)],
    ["a list that holds a time", [new Date(5)]],
  ])("takes the place of %s, which have no fields that could stay", async (_what, payload) => {
    const { post, t, inputs } = await printing();
    await t.enqueue(print, payload, { id: "p-1" });
    await t.drain();
    const shown = await (await post("jobs/mail/p-1/reveal", {})).json();
    expect(shown).toMatchObject({ editedBy: "replace" });
    await post("jobs/mail/p-1/edit", { merge: false, value: { to: "ada" } });
    await t.drain();
    expect(inputs).toEqual([payload, { to: "ada" }]);
  });

  test("takes the place of what can't be read, and is merged into what is too much to be shown", async () => {
    const { get, post, t } = await printing();
    for (const id of ["p-1", "p-2"]) await t.enqueue(print, { to: "nobody" }, { id });
    await t.drain();
    const bodies: Readonly<Record<string, Uint8Array>> = {
      "p-1": new Uint8Array([0xc1]),
      "p-2": encodeMsgpack({
        payload: { ns: Array.from({ length: DEFAULT_MAX_VALUES }, () => 0) },
      }),
    };
    const list = t.broker.deadLetters.list.bind(t.broker.deadLetters);
    t.broker.deadLetters.list = async (query) =>
      (await list(query)).map((letter) => ({ ...letter, body: bodies[letter.id] ?? letter.body }));
    for (const [id, editedBy] of [
      ["p-1", "replace"],
      ["p-2", "merge"],
    ] as const) {
      const shown = (await (await post(`jobs/mail/${id}/reveal`, {})).json()) as object;
      expect(shown).toMatchObject({ editedBy });
      expect(shown).not.toHaveProperty("payload");
    }
    expect(await get("jobs/mail/p-1")).toMatchObject({ state: "dead" });
  });

  test.each([
    ["no payload", { merge: true }],
    ["no word on merging", { value: { n: 2 } }],
    ["a word for merging", { value: { n: 2 }, merge: "yes" }],
    ["a misspelt field", { vlaue: { n: 2 }, merge: true, value: {} }],
  ])("is refused with %s, and the letter stays", async (_what, body) => {
    const { get, post, t } = await secrets(ADA);
    expect((await post(EDIT, body)).status).toBe(400);
    expect(await t.client.dead.list({ id: "c-1" })).toHaveLength(1);
    expect(await get("audit")).toEqual([]);
  });

  test("is not of a viewer", async () => {
    const { post, t } = await secrets(BOB);
    expect((await post(EDIT, { merge: true, value: { n: 2 } })).status).toBe(403);
    expect(await t.client.dead.list({ id: "c-1" })).toHaveLength(1);
  });
});
