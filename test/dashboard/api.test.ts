import { createDashboard } from "millrace/dashboard";
import { describe, expect, onTestFinished, test } from "vitest";
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
      nodes: [
        {
          ...{ name: "test-node", state: "running", engine: `Node.js ${process.versions.node}` },
          memory: { rssBytes: expect.any(Number) as number },
        },
      ],
      problems: [{ severity: "warning", text: "3 dead letters in queue billing." }],
    });
    expect(view["queues"]).toMatchObject([
      { queue: "billing", queued: 0, dead: 3, slots: 10, nodes: 1, open: true },
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
    const terms = (text: string): string => `filter=${encodeURIComponent(text)}`;
    expect(await ids(terms("error=CardDeclined attempts=2"))).toEqual(["c0"]);
    expect(await ids(`state=delayed&${terms("id=l*")}`)).toEqual(["later"]);
    expect(await ids(`state=delayed&${terms("id!=l*")}`)).toEqual([]);
    await expect(ids(terms("attempts=2 eror~x"))).rejects.toThrow(/400.*eror~x at character 12/);
    await expect(ids("state=nonsense")).rejects.toThrow(/400.*state/);
    await expect(ids("limit=0")).rejects.toThrow(/400.*limit/);
  });

  test("the oldest job of a queue, which may be gone when somebody asks", async () => {
    const { get, t } = await scene();
    await t.client.queues.pause("mail");
    await t.clock.advance("1s");
    expect(await get("queues/mail/oldest")).toEqual({});
    for (const id of ["old", "young"]) await t.enqueue(send, { n: 1 }, { id });
    expect(await get("queues/mail/oldest")).toEqual({ job: { queue: "mail", id: "old" } });
    await expect(get("queues/nowhere/oldest")).rejects.toThrow(/queue-not-found/);
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

  test("what each attempt of a job logged, masked, and of the last enqueue of its id", async () => {
    const { get, t } = await withDeadJobs(1);
    const log = await get("jobs/billing/c0/log");
    expect(log).toMatchObject({
      earlier: 0,
      runs: [
        {
          ...{ attempt: 1, node: "test-node" },
          lines: [{ level: "info", message: "charging card 0", fields: { apiKey: "***" } }],
        },
        { attempt: 2, lines: [{ message: "charging card 0" }] },
      ],
    });
    await t.client.dead.discard({ id: "c0" });
    await t.clock.advance("1h");
    await t.enqueue(charge, { n: 7 }, { id: "c0", once: false });
    await t.clock.advance("500ms");
    expect(await get("jobs/billing/c0/log")).toMatchObject({
      runs: [{ lines: [{ message: "charging card 7" }] }, {}],
    });
    expect(await get("jobs/mail/nobody/log")).toEqual({ runs: [], earlier: 0 });
  });

  test("which schedules are due in the next 24 hours, the soonest first, paused ones not", async () => {
    const { get, t } = await scene();
    const add = (name: string, cron: string) =>
      t.client.cron.add({ name, cron, job: "mail.send", queue: "mail", payload: { n: 1 } });
    await add("often", "* * * * *");
    await add("hourly", "30 * * * *");
    await add("yearly", "0 0 29 2 *");
    await add("asleep", "* * * * *");
    await t.client.cron.pause("asleep");
    const day = await get<{
      readonly from: number;
      readonly until: number;
      readonly lines: readonly { readonly name: string; readonly times: readonly number[] }[];
    }>("schedules/day");
    expect(day.until - day.from).toBe(86_400_000);
    const lines = Object.fromEntries(day.lines.map((line) => [line.name, line]));
    expect(lines["often"]).toMatchObject({ more: true, isPaused: false });
    expect(lines["hourly"]).toMatchObject({ more: false });
    expect(lines["hourly"]?.times).toHaveLength(24);
    expect(lines["nightly"]?.times).toHaveLength(1);
    expect(lines["yearly"]).toMatchObject({ times: [], more: false });
    expect(lines["asleep"]).toMatchObject({ times: [], isPaused: true });
    expect(day.lines[0]?.name).toBe("often");
    for (const { times } of day.lines)
      expect(times.every((at) => at > day.from && at < day.until)).toBe(true);
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
    const groups = await of.get<{ readonly causes: readonly object[] }>("errors");
    const { reason, ...cause } = GROUP;
    expect(groups.causes).toMatchObject([
      { ...cause, reasons: [reason], letters: 5, lastId: expect.stringMatching(/^c/) },
    ]);
    expect(JSON.stringify(groups)).not.toContain("s3cr3t-value");
    of.bankIs("up");
    const answer = await of.post("dead/retry", { filter: GROUP });
    expect(await answer.json()).toEqual({ count: 5, failed: [] });
    await of.t.drain();
    expect(await of.get("errors")).toMatchObject({ causes: [], more: false });
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

  test("all of a cause are retried by an operation, which the page follows and the audit keeps", async () => {
    const of = await withDeadJobs(45);
    of.bankIs("up");
    const target = { kind: "dead-retry", filter: GROUP };
    const asked = encodeURIComponent(JSON.stringify(target));
    expect(await of.get(`operations/count?target=${asked}`)).toEqual({ count: 45 });
    const answer = await of.post("operations", { ...target, reason: "the bank is back" });
    const { operation, count } = (await answer.json()) as { operation: string; count: number };
    expect(count).toBe(45);
    await of.t.clock.advance("10s");
    await of.t.drain();
    const ended = {
      ...{ id: operation, by: ADA.name, reason: "the bank is back" },
      ...{ total: 45, done: 45, gone: 0, failed: 0, progress: { state: "done" } },
    };
    expect(await of.get(`operations/${operation}`)).toMatchObject(ended);
    expect(await of.get("operations")).toMatchObject([ended]);
    expect(await of.get("errors")).toMatchObject({ causes: [], more: false });
    expect(await of.get("audit")).toMatchObject([
      { id: operation, action: "dead retry", by: ADA.name, outcome: "45 done" },
    ]);
  });

  test("many more than the dialog said are not begun with: the answer says how many there are", async () => {
    const of = await withDeadJobs(45);
    const target = { kind: "dead-discard", filter: GROUP };
    const refused = await of.post("operations", { ...target, counted: 40 });
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({
      error: {
        code: "more-than-confirmed",
        message: expect.stringMatching(/^45 things fit by now, and at most 44/) as string,
      },
    });
    expect((await of.post("operations", { ...target, counted: "41" })).status).toBe(400);
    expect(await of.get("operations")).toEqual([]);
    expect((await of.post("operations", { ...target, counted: 41 })).status).toBe(200);
  });

  test("all jobs that match are cancelled, and what a dashboard that died has left is taken up", async () => {
    const of = await scene();
    await of.dashboard.close();
    for (let n = 0; n < 25; n += 1)
      await of.t.enqueue(send, { n }, { id: `later${n}`, delay: "1h" });
    await of.t.clock.advance("1s");
    const filter = { state: "delayed", queue: "mail", where: 'name~"send" attempts=0' };
    const answer = await of.post("operations", { kind: "jobs-cancel", filter });
    const { operation } = (await answer.json()) as { operation: string };
    await of.t.clock.advance("10s");
    const path = `operations/${operation}`;
    expect(await of.get(path)).toMatchObject({ total: 25, done: 0 });
    const another = createDashboard({
      ...{ millrace: of.t.client, clock: of.t.clock, authorize: () => ADA },
    });
    onTestFinished(() => another.close());
    await of.t.clock.advance("10s");
    expect(await of.get(path)).toMatchObject({ done: 25, progress: { state: "done" } });
    await of.t.drain({ maxTime: "2h" });
    expect(await of.get("jobs/mail/later24")).toMatchObject({ state: "cancelled" });
  });

  test("delayed jobs that match have another time, and their old one again when it is undone", async () => {
    const of = await scene();
    for (const n of [1, 2]) await of.t.enqueue(send, { n }, { id: `later${n}`, delay: `${n}h` });
    await of.t.clock.advance("1s");
    const due = async () =>
      new Map((await of.t.client.delayed.list()).map(({ id, notBefore }) => [id, notBefore]));
    const before = await due();
    const filter = { state: "delayed", queue: "mail", where: "" };
    const begin = async (path: string, body: object): Promise<string> => {
      const answer = await of.post(path, body);
      const { operation } = (await answer.json()) as { operation: string };
      await of.t.clock.advance("10s");
      return operation;
    };
    const moved = await begin("operations", { kind: "jobs-reschedule", filter, delay: "10h" });
    const [first, second] = (await due()).values();
    expect(first).toBe(second);
    const undone = await begin(`operations/${moved}/undo`, { reason: "a mistake" });
    expect(await of.get(`operations/${undone}`)).toMatchObject({
      ...{ total: 2, done: 2, by: ADA.name, reason: "a mistake", filter: { undoes: moved } },
    });
    expect(await due()).toEqual(before);
    const at = new Date(of.t.clock.now() + 5 * 3_600_000);
    await begin("operations", { kind: "jobs-reschedule", filter, at: at.toISOString() });
    expect([...(await due()).values()]).toEqual([at.getTime(), at.getTime()]);
    for (const wrong of ["soon", "2027-01-31", "2027-01-31T12:30"]) {
      const refused = await of.post("operations", { kind: "jobs-reschedule", filter, at: wrong });
      expect({ wrong, status: refused.status }).toEqual({ wrong, status: 400 });
    }
  });

  test("discarded letters are there again when it is undone, and an undo can't be undone", async () => {
    const of = await withDeadJobs(3);
    const begin = async (path: string, body: object): Promise<string> => {
      const answer = await of.post(path, body);
      const { operation } = (await answer.json()) as { operation: string };
      await of.t.clock.advance("10s");
      return operation;
    };
    const discard = await begin("operations", { kind: "dead-discard", filter: GROUP });
    expect(await of.t.client.dead.list()).toEqual([]);
    const undo = await begin(`operations/${discard}/undo`, { reason: "a mistake" });
    expect(await of.get(`operations/${undo}`)).toMatchObject({
      ...{ kind: "discard-undo", total: 3, done: 3, by: ADA.name, filter: { undoes: discard } },
    });
    expect(await of.t.client.dead.list()).toHaveLength(3);
    expect((await of.post(`operations/${undo}/undo`, {})).status).toBe(400);
  });

  test("an operation that is not begun yet is stopped, and one that nobody knows is not there", async () => {
    const of = await withDeadJobs(2);
    await of.dashboard.close();
    const answer = await of.post("operations", { kind: "dead-discard", filter: GROUP });
    const { operation } = (await answer.json()) as { operation: string };
    const stopped = await of.post(`operations/${operation}/stop`, {});
    expect(await stopped.json()).toEqual({ count: 0, failed: [] });
    expect(await of.get(`operations/${operation}`)).toMatchObject({
      progress: { state: "stopped", by: ADA.name },
    });
    expect((await of.post("operations/none/stop", {})).status).toBe(404);
    await expect(of.get("operations/none")).rejects.toThrow(/404.*operation-not-found/);
  });

  test.each([
    ["no kind", { filter: GROUP }],
    ["another kind", { kind: "explode", filter: GROUP }],
    ["a filter that says nothing", { kind: "dead-discard", filter: {} }],
    ["no filter", { kind: "dead-discard" }],
    ["a misspelt field", { kind: "dead-retry", filter: { ...GROUP, nmae: "x" } }],
    ["jobs of whatever state", { kind: "jobs-cancel", filter: { queue: "mail" } }],
    ["terms that can't be read", { kind: "jobs-cancel", filter: { state: "queued", where: "(" } }],
    ["jobs that have ended", { kind: "jobs-cancel", filter: { state: "succeeded" } }],
    [
      "another time for what is not delayed",
      { kind: "jobs-reschedule", filter: { state: "queued" } },
    ],
    [
      "a time that can't be read",
      { kind: "jobs-reschedule", filter: { state: "delayed" }, delay: "soon" },
    ],
    ["no other time", { kind: "jobs-reschedule", filter: { state: "delayed" } }],
    ["a letter's field for jobs", { kind: "jobs-cancel", filter: { state: "queued", id: "7" } }],
  ])("no operation begins with %s", async (_what, body) => {
    const of = await withDeadJobs(1);
    expect((await of.post("operations", body)).status).toBe(400);
    expect(await of.get("operations")).toEqual([]);
    expect(await of.get("audit")).toEqual([]);
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
    expect(await of.get("errors")).toMatchObject({ causes: [{ letters: 2 }] });
    const one = await of.post("dead/discard", { filter: { queue: "billing", id: "c1" } });
    expect(await one.json()).toMatchObject({ count: 1 });
    expect(await of.get("errors")).toMatchObject({ causes: [{ letters: 1 }] });
  });

  test("a queue is paused with a reason, purged and resumed", async () => {
    const { get, post, t } = await scene();
    expect((await post("queues/mail/pause", { reason: "the provider is down" })).status).toBe(200);
    await t.enqueue(send, { n: 1 });
    expect(await get("queues/mail")).toMatchObject({
      queue: { queued: 1, paused: { by: ADA.name, reason: "the provider is down" } },
    });
    expect(await (await post("queues/mail/purge", {})).json()).toEqual({ count: 1, failed: [] });
    expect((await post("queues/mail/resume", {})).status).toBe(200);
    const { queue } = await get<{ queue: object }>("queues/mail");
    expect(queue).toMatchObject({ queued: 0 });
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

  test("one job's cancellation and one letter's discard are taken back", async () => {
    const of = await withDeadJobs(1);
    await of.t.enqueue(send, { n: 7 }, { id: "later", delay: "1h" });
    const undone = async (path: string, body: object): Promise<string> => {
      await of.t.clock.advance("1s");
      const { operation } = (await (await of.post(path, body)).json()) as { operation: string };
      await of.t.clock.advance("10s");
      const undo = await of.post(`operations/${operation}/undo`, {});
      expect(await undo.json()).toMatchObject({ count: 1 });
      await of.t.clock.advance("10s");
      return operation;
    };
    const operation = await undone("jobs/mail/later/cancel", { reason: "a slip" });
    expect(await of.get("jobs/mail/later")).toMatchObject({
      ...{ state: "delayed", cargo: { headers: { "undone-operation": operation } } },
    });
    await undone("dead/discard", { filter: { queue: "billing", id: "c0" } });
    expect(await of.get("jobs/billing/c0")).toMatchObject({ letter: { id: "c0" } });
    const audit = await of.get<readonly { action: string; reason?: string }[]>("audit");
    expect(audit.map(({ action, reason }) => `${action} ${reason ?? ""}`.trim())).toEqual([
      ...["discard undo", "dead discard", "cancel undo", "jobs cancel a slip"],
    ]);
  });

  test("a job whose cancellation is answered is cancelled, though nobody serves operations", async () => {
    const of = await scene();
    await of.dashboard.close();
    await of.t.enqueue(send, { n: 1 }, { id: "later", delay: "1h" });
    await of.t.clock.advance("1s");
    const answer = await of.post("jobs/mail/later/cancel", {});
    expect(await answer.json()).toMatchObject({ count: 1, failed: [] });
    expect(await of.t.client.operations.list()).toMatchObject([
      { kind: "jobs-cancel", done: 1, progress: { state: "done" } },
    ]);
  });

  test("a letter whose discard is answered is discarded, though nobody serves operations", async () => {
    const of = await withDeadJobs(1);
    await of.dashboard.close();
    const discard = { filter: { queue: "billing", id: "c0" } };
    expect(await (await of.post("dead/discard", discard)).json()).toMatchObject({
      ...{ count: 1, failed: [] },
    });
    expect(await of.t.client.dead.list()).toEqual([]);
    expect(await (await of.post("dead/discard", discard)).json()).toMatchObject({
      ...{ count: 0, failed: [{ id: "c0", message: expect.stringContaining("before") as string }] },
    });
  });

  test("what an operation was to look for is masked where operations are shown", async () => {
    const of = await withDeadJobs(1);
    const filter = { queue: "billing", where: 'message~"password=hunter2"' };
    await of.post("operations", { kind: "dead-discard", filter });
    const [shown] = await of.get<readonly { readonly id: string }[]>("operations");
    for (const path of ["operations", `operations/${shown?.id}`, "audit"]) {
      const text = JSON.stringify(await of.get(path));
      expect(text).toContain("billing");
      expect(text).not.toContain("hunter2");
    }
  });

  test("a job is cancelled, a schedule run and paused, a node quieted", async () => {
    const { get, post, t } = await scene();
    await t.enqueue(send, { n: 1 }, { id: "later", delay: "1h" });
    expect(await (await post("jobs/mail/later/cancel", {})).json()).toEqual({
      ...{ count: 1, failed: [], operation: expect.any(String) },
    });
    await t.clock.advance("1s");
    expect(await (await post("jobs/mail/later/cancel", {})).json()).toEqual({
      ...{ count: 0, failed: [{ id: "later", message: "It has ended already: cancelled." }] },
    });
    expect((await post("jobs/mail/nowhere/cancel", {})).status).toBe(404);
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
