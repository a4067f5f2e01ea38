import { describe, expect, test } from "vitest";
import { ADA, charge, type Scene, scene, send } from "./scene.ts";

const GROUP = {
  queue: "billing",
  name: "billing.charge",
  reason: "attempts-exhausted",
  error: "CardDeclined",
};

async function withDeadJobs(count: number): Promise<Scene> {
  const of = await scene();
  for (let n = 0; n < count; n += 1)
    await of.t.enqueue(charge, { n, apiKey: "k-123" }, { id: `c${n}` });
  await of.t.drain();
  return of;
}

describe("what the dashboard tells", () => {
  test("an overview with each queue's counts, the nodes and what needs attention", async () => {
    const { get, t } = await withDeadJobs(3);
    await t.enqueue(send, { n: 1 }, { delay: "1h" });
    const view = await get<Record<string, unknown>>("overview");
    expect(view).toMatchObject({
      connected: true,
      nodes: [{ name: "test-node", state: "running" }],
      problems: [{ severity: "warning", text: "3 dead letters in queue billing." }],
    });
    expect(view["queues"]).toMatchObject([
      { queue: "billing", waiting: 0, dead: 3, slots: 10, nodes: 1, open: true },
      { queue: "mail", delayed: 1, dead: 0 },
    ]);
  });

  test("jobs by state, queue and name, live ones and settled ones", async () => {
    const { get, t } = await withDeadJobs(1);
    await t.enqueue(send, { n: 1 }, { id: "later", delay: "1h" });
    await t.enqueue(send, { n: 2 }, { id: "now" });
    await t.clock.advance("1s");
    const ids = async (query: string): Promise<readonly string[]> =>
      (await get<{ jobs: readonly { id: string }[] }>(`jobs?${query}`)).jobs.map(({ id }) => id);
    expect(await ids("state=delayed")).toEqual(["later"]);
    expect(await ids("state=succeeded")).toEqual(["now"]);
    expect(await ids("state=dead&queue=billing&name=charge")).toEqual(["c0"]);
    expect(await ids("state=dead&name=other")).toEqual([]);
    await expect(ids("state=nonsense")).rejects.toThrow(/400.*state/);
    await expect(ids("limit=0")).rejects.toThrow(/400.*limit/);
  });

  test("a job with each attempt, its error, its payload, and no secret in any of them", async () => {
    const { get } = await withDeadJobs(1);
    const job = await get<Record<string, unknown>>("jobs/billing/c0");
    expect(job).toMatchObject({
      state: "dead",
      attempts: 2,
      history: [
        { state: "requeued", outcome: "failed", node: "test-node" },
        { state: "dead", outcome: "failed", error: { type: "CardDeclined" } },
      ],
      letter: { reason: "attempts-exhausted", payload: { n: 0, apiKey: "***" } },
    });
    expect(JSON.stringify(job)).not.toMatch(/s3cr3t-value|k-123/);
    await expect(get("jobs/billing/nobody")).rejects.toThrow(/404.*job-not-found/);
  });

  test("schedules with their next times", async () => {
    const { get } = await scene();
    expect(await get("schedules")).toMatchObject([
      {
        name: "nightly",
        cron: "0 3 * * *",
        job: "mail.send",
        next: [expect.any(Number), expect.any(Number), expect.any(Number)],
      },
    ]);
  });
});

describe("what the dashboard changes", () => {
  test("a group is retried: all of it, nothing else, in the audit under the user's name", async () => {
    const of = await withDeadJobs(5);
    const groups = await of.get<readonly object[]>("dead");
    expect(groups).toMatchObject([{ ...GROUP, count: 5, lastId: expect.stringMatching(/^c/) }]);
    expect(JSON.stringify(groups)).not.toContain("s3cr3t-value");
    of.bankIs("up");
    const answer = await of.post("dead/retry", { filter: GROUP });
    expect(await answer.json()).toEqual({ count: 5, failed: [] });
    await of.t.drain();
    expect(await of.get("dead")).toEqual([]);
    expect(await of.get("jobs/billing/c4")).toMatchObject({
      state: "succeeded",
      result: { charged: 4, password: "***" },
    });
    expect(await of.get("audit")).toMatchObject([
      {
        action: "dead retry",
        by: ADA.name,
        outcome: "5 done",
        which: expect.stringContaining("error=CardDeclined"),
      },
    ]);
  });

  test("a filter that says nothing retries nothing, and another cause is left alone", async () => {
    const of = await withDeadJobs(2);
    expect((await of.post("dead/retry", { filter: {} })).status).toBe(400);
    expect((await of.post("dead/discard", {})).status).toBe(400);
    for (const filter of [
      { ...GROUP, error: null },
      { ...GROUP, name: "billing.*" },
      { error: "Card*" },
    ])
      expect(await (await of.post("dead/discard", { filter })).json()).toMatchObject({ count: 0 });
    expect(await of.get("dead")).toMatchObject([{ count: 2 }]);
    const one = await of.post("dead/discard", { filter: { queue: "billing", id: "c1" } });
    expect(await one.json()).toMatchObject({ count: 1 });
    expect(await of.get("dead")).toMatchObject([{ count: 1 }]);
  });

  test("a queue is paused with a reason, purged and resumed", async () => {
    const { get, post, t } = await scene();
    expect((await post("queues/mail/pause", { reason: "the provider is down" })).status).toBe(200);
    await t.enqueue(send, { n: 1 });
    expect(await get("queues/mail")).toMatchObject({
      queue: { waiting: 1, paused: { by: ADA.name, reason: "the provider is down" } },
    });
    expect(await (await post("queues/mail/purge", {})).json()).toEqual({ count: 1, failed: [] });
    expect((await post("queues/mail/resume", {})).status).toBe(200);
    const { queue } = await get<{ queue: object }>("queues/mail");
    expect(queue).toMatchObject({ waiting: 0 });
    expect(queue).not.toHaveProperty("paused");
    expect((await post("queues/mail/explode", {})).status).toBe(400);
    expect((await post("queues/nowhere/pause", {})).status).toBe(404);
    const audit = await get<readonly { action: string; by: string; outcome: string }[]>("audit");
    expect(audit.map(({ action, by, outcome }) => `${by}: ${action}, ${outcome}`)).toEqual([
      `${ADA.name}: queues pause, failed: queue-not-found`,
      `${ADA.name}: queues resume, 1 done`,
      `${ADA.name}: queues purge, 1 done`,
      `${ADA.name}: queues pause, 1 done`,
    ]);
  });

  test("a job is cancelled, a schedule run and paused, a node quieted", async () => {
    const { get, post, t } = await scene();
    await t.enqueue(send, { n: 1 }, { id: "later", delay: "1h" });
    expect(await (await post("jobs/mail/later/cancel", {})).json()).toEqual({
      count: 1,
      failed: [],
    });
    await t.drain({ maxTime: "1h" });
    expect(await get("jobs/mail/later")).toMatchObject({ state: "cancelled" });
    expect(await (await post("schedules/nightly/run", {})).json()).toMatchObject({
      count: 1,
      job: { queue: "mail" },
    });
    await post("schedules/nightly/pause", {});
    expect(await get("schedules")).toMatchObject([{ pausedAt: expect.any(Number), next: [] }]);
    await post("nodes/test-node/quiet", { reason: "deploy" });
    await t.clock.advance("10s");
    expect(await get("overview")).toMatchObject({
      nodes: [{ desired: "quiet", order: { by: ADA.name, reason: "deploy" } }],
    });
    const audit = await get<readonly { action: string }[]>("audit");
    expect(audit.map(({ action }) => action)).toEqual([
      "nodes quiet",
      "cron pause",
      "cron run",
      "jobs cancel",
    ]);
  });
});
