import { describe, expect, test } from "vitest";
import { ADA, BOB, OF_THE_PAGE, ORIGIN, scene, send } from "./scene.ts";

type Line = { readonly action: string; readonly which: string; readonly by: string };

describe("what the page changes as the command does", () => {
  test("one delayed job has another time, by a delay or a time with its zone", async () => {
    const { get, post, t } = await scene();
    await t.enqueue(send, { n: 1 }, { id: "later", delay: "1h" });
    await t.enqueue(send, { n: 2 }, { id: "other", delay: "1h" });
    await t.clock.advance("1s");
    const due = async (id: string): Promise<number | undefined> =>
      (await t.client.delayed.list({ queue: "mail" })).find((job) => job.id === id)?.notBefore;
    const other = await due("other");
    const now = t.clock.now();
    expect((await post("jobs/mail/later/reschedule", { delay: "5h" })).status).toBe(200);
    expect(await due("later")).toBeGreaterThanOrEqual(now + 5 * 3_600_000);
    const at = new Date(now + 7_200_000).toISOString();
    expect((await post("jobs/mail/later/reschedule", { at })).status).toBe(200);
    expect(await due("later")).toBe(Date.parse(at));
    expect(await due("other")).toBe(other);
    const bodies = [{}, { delay: "1h", at }, { delay: "soon" }, { at: "2030-01-01T10:00" }];
    for (const body of [...bodies, { delay: 5 }, { delay: "1h", filter: {} }])
      expect((await post("jobs/mail/later/reschedule", body)).status).toBe(400);
    expect(await due("later")).toBe(Date.parse(at));
    const [second, first] = (await get<readonly Line[]>("audit")).filter(
      ({ which }) => which.includes("to=2") || which.includes("to=in 5h"),
    );
    expect([first?.which, second?.which]).toEqual([
      "queue=mail id=later to=in 5h",
      `queue=mail id=later to=${at}`,
    ]);
    await t.client.cancel("later", { queue: "mail" });
    await t.client.cancel("other", { queue: "mail" });
  });

  test("a machine is started, stopped and forgotten; one that goes on only where that is said", async () => {
    const { get, post, t } = await scene();
    const input = { customer: "ann" };
    const start = (id: string) => post("machines", { machine: "claim", id, value: input });
    expect((await start("c-1")).status).toBe(200);
    await t.clock.advance("2s");
    expect(await get("machines/claim/c-1")).toMatchObject({ status: "active" });
    const going = await post("machines/claim/c-1/remove", { force: false });
    expect(going.status).toBeGreaterThanOrEqual(400);
    expect(await get("machines/claim/c-1")).toMatchObject({ status: "active" });
    expect((await post("machines/claim/c-1/stop", {})).status).toBe(200);
    await t.clock.advance("2s");
    expect(await get("machines/claim/c-1")).toMatchObject({ status: "stopped" });
    expect(await (await post("machines/claim/c-1/remove", {})).json()).toMatchObject({ count: 1 });
    expect(await (await post("machines/claim/c-1/remove", {})).json()).toMatchObject({ count: 0 });
    await start("c-2");
    await t.clock.advance("2s");
    const forced = await post("machines/claim/c-2/remove", { force: true });
    expect(await forced.json()).toMatchObject({ count: 1 });
    expect((await post("machines/claim/nobody/stop", {})).status).toBe(404);
    for (const body of [{}, { machine: "claim" }, { machine: "claim", id: 7 }])
      expect((await post("machines", body)).status).toBe(400);
    const audit = await get<readonly Line[]>("audit");
    expect(audit.map(({ action, which }) => `${action} ${which}`)).toEqual([
      "machines stop machine=claim id=nobody",
      "machines remove machine=claim id=c-2 force=true",
      "machines start machine=claim id=c-2",
      "machines remove machine=claim id=c-1",
      "machines remove machine=claim id=c-1",
      "machines stop machine=claim id=c-1",
      "machines remove machine=claim id=c-1",
      "machines start machine=claim id=c-1",
    ]);
    expect(audit.every(({ by }) => by === ADA.name)).toBe(true);
  });

  test("a number that would be altered is refused with its place, and nothing is sent", async () => {
    const { post, t } = await scene();
    const bodies = [
      ["machines", '{"machine":"claim","id":"wide","value":{"account":9007199254740993}}'],
      ["machines/claim/wide/send", '{"value":{"type":"PAID","account":1e400}}'],
    ] as const;
    const messages: string[] = [];
    for (const [path, body] of bodies) {
      const answer = await post(path, body);
      expect(answer.status).toBe(400);
      messages.push(((await answer.json()) as { error: { message: string } }).error.message);
    }
    expect(messages).toEqual([
      "body: value.account is a whole number beyond 2^53, which would be altered; send it as a string.",
      "body: value.account is beyond all numbers.",
    ]);
    await t.clock.advance("2s");
    await expect(t.client.machine("claim", "wide").snapshot()).rejects.toMatchObject({
      code: "machine-not-found",
    });
  });

  test("a schedule is added, changed with what it was on record, and removed", async () => {
    const { get, post, t } = await scene();
    const added = {
      ...{ name: "hourly", job: "mail.send", queue: "mail", cron: "0 * * * *", value: { n: 7 } },
      ...{ timezone: "Europe/Berlin", lateAfter: "10s" },
    };
    expect((await post("schedules", added)).status).toBe(200);
    const again = await post("schedules", { ...added, cron: "5 * * * *" });
    expect(await again.json()).toMatchObject({ error: { code: "schedule-exists" } });
    const stored = async () => (await t.client.cron.list()).find(({ name }) => name === "hourly");
    expect(await stored()).toMatchObject({
      ...{ cron: "0 * * * *", timezone: "Europe/Berlin", payload: { n: 7 }, lateAfterMs: 10_000 },
    });
    const change = { cron: "5 * * * *", jitter: "30s", lateAfter: "1m", value: { n: 8 } };
    expect((await post("schedules/hourly/change", change)).status).toBe(200);
    for (const body of [
      { ...added, name: " " },
      { ...added, job: 7 },
      { ...added, cron: "" },
    ])
      expect((await post("schedules", body)).status).toBe(400);
    expect((await post("schedules/hourly/remove", {})).status).toBe(200);
    expect(await stored()).toBeUndefined();
    const [removed, changed, , second] = await get<readonly Line[]>("audit");
    expect([removed?.action, second?.action]).toEqual(["cron remove", "cron add"]);
    expect(changed?.which).toBe(
      'name=hourly set={"cron":"5 * * * *","jitter":"30s","lateAfter":"1m","payload":"…"} was={"cron":"0 * * * *","jitter":"0ms","lateAfter":"10s"}',
    );
  });

  test("a queue is made with what it takes, and set to send on and to park so many", async () => {
    const { get, post, t } = await scene();
    const made = await post("queues", { queue: "print", maxJobs: "50", maxBytes: "" });
    expect(await made.json()).toEqual({ count: 1, failed: [] });
    const again = await post("queues", { queue: "print", maxJobs: "", maxBytes: "1000000" });
    expect(await again.json()).toEqual({ count: 0, failed: [] });
    for (const body of [{}, { queue: "a b" }, { queue: "x", maxJobs: "-1" }, { queue: "x", y: 1 }])
      expect((await post("queues", body)).status).toBe(400);
    const wanted = { sendsTo: "print, archive", maxParked: "0", maxBytes: "2000000" };
    expect((await post("queues/print/set", wanted)).status).toBe(200);
    expect(await get("queues/print")).toMatchObject({
      queue: { maxJobs: 50, maxBytes: 2_000_000, maxParked: 0, sendsTo: ["print", "archive"] },
    });
    expect((await post("queues/print/set", { sendsTo: "none", maxParked: "none" })).status).toBe(
      200,
    );
    expect(await t.client.queues.controls("print")).toEqual({});
  });

  test("a purge takes delayed jobs along only where that is asked for", async () => {
    const { get, dashboard, t } = await scene();
    await t.client.queues.pause("mail");
    await t.enqueue(send, { n: 1 }, { id: "later", delay: "5h" });
    await t.clock.advance("1s");
    const purge = async (body: object): Promise<unknown> => {
      let answer: Response | undefined;
      const asked = { method: "POST", headers: OF_THE_PAGE, body: JSON.stringify(body) };
      void dashboard(new Request(`${ORIGIN}/api/queues/mail/purge`, asked)).then(
        (response) => (answer = response),
      );
      while (answer === undefined) await t.clock.advance("100ms");
      return answer.json();
    };
    expect(await purge({})).toMatchObject({ count: 0 });
    expect(await t.client.jobs.count({ state: "delayed" })).toBe(1);
    expect(await purge({ delayed: true })).toMatchObject({ count: 1 });
    expect(await t.client.jobs.count({ state: "delayed" })).toBe(0);
    expect((await get<readonly Line[]>("audit")).map(({ which }) => which)).toEqual([
      "queue=mail delayed=true",
      "queue=mail delayed=false",
    ]);
  });

  test("an operation purges what waits, delayed jobs only where that is asked for", async () => {
    const { get, post, t } = await scene();
    await t.enqueue(send, { n: 1 }, { id: "later", delay: "5h" });
    await t.clock.advance("1s");
    await t.client.queues.pause("mail");
    await t.enqueue(send, { n: 2 }, { id: "now" });
    await t.clock.advance("1s");
    const purge = async (where: string): Promise<unknown> =>
      (await post("operations", { kind: "jobs-cancel", filter: { queue: "mail", where } })).json();
    const waiting = "state=queued OR state=blocked";
    expect(await purge(waiting)).toMatchObject({ count: 1 });
    expect(await purge(`${waiting} OR state=delayed`)).toMatchObject({ count: 2 });
    expect((await get<readonly Line[]>("audit")).map(({ which }) => which)).toEqual([
      `queue=mail where=${waiting} OR state=delayed`,
      `queue=mail where=${waiting}`,
    ]);
  });

  test("none of it is done for a viewer, or for another site", async () => {
    const [viewed, owned] = [await scene({ user: () => BOB }), await scene()];
    const cross = { ...OF_THE_PAGE, "sec-fetch-site": "cross-site" };
    for (const [path, body] of [
      ["jobs/mail/later/reschedule", { delay: "1h" }],
      ["machines", { machine: "claim", id: "c-1", value: { customer: "ann" } }],
      ["machines/claim/c-1/stop", {}],
      ["machines/claim/c-1/remove", { force: true }],
      ["schedules", { name: "s", job: "mail.send", queue: "mail", cron: "0 * * * *" }],
      ["schedules/nightly/remove", {}],
      ["queues", { queue: "print" }],
    ] as const) {
      expect((await viewed.post(path, body)).status, path).toBe(403);
      expect((await owned.post(path, body, cross)).status, path).toBe(403);
    }
    for (const { get, t } of [viewed, owned]) {
      expect(await get("audit")).toEqual([]);
      expect((await t.client.cron.list()).map(({ name }) => name)).toEqual(["nightly"]);
    }
  });
});
