// A schedule that is changed from the page, and a queue that is drained from it.
import { defineJob } from "millrace";
import { describe, expect, test } from "vitest";
import type { AuditView, ScheduleView } from "../../packages/dashboard/src/api/views/views.ts";
import { ADA, scene, send } from "./scene.ts";

const HOURLY = { name: "hourly", cron: "0 * * * *", job: "mail.send", queue: "mail" } as const;

describe("a schedule is changed from the page", () => {
  test("what was written changes, the rest stays, and the audit has it without the payload", async () => {
    const { get, post, t } = await scene();
    await t.client.cron.add({ ...HOURLY, payload: { n: 1 }, missed: { all: 3 }, lateAfter: "9s" });
    const change = {
      cron: "20 * * * *",
      timezone: " Europe/Berlin ",
      overlap: "",
      missed: "all:5",
    };
    const answer = await post("schedules/hourly/change", { ...change, value: { n: 2 } });
    expect(await answer.json()).toEqual({ count: 1, failed: [] });
    const [hourly] = await t.client.cron.list();
    expect(hourly).toMatchObject({
      ...{ cron: "20 * * * *", timezone: "Europe/Berlin", missed: { all: 5 }, overlap: "allow" },
      ...{ payload: { n: 2 }, lateAfterMs: 9_000, origin: "client" },
    });
    expect(await get("schedules")).toMatchObject([
      { name: "hourly", cron: "20 * * * *", missed: "all:5", origin: "client", jitterMs: 0 },
      { name: "nightly", origin: "code", seen: { node: "test-node" } },
    ]);
    const [record] = await get<readonly AuditView[]>("audit");
    expect(record).toMatchObject({
      action: "cron change",
      by: ADA.name,
      outcome: "1 done",
    });
    expect(record?.which).toContain(`"cron":"20 * * * *","timezone":"Europe/Berlin"`);
    expect(record?.which).not.toContain(`"n":2`);
  });

  test("one of a node's code stays as the code says, and what can't be read changes nothing", async () => {
    const { get, post, t } = await scene();
    await t.client.cron.add({ ...HOURLY, payload: { n: 1 } });
    const before = await get<readonly ScheduleView[]>("schedules");
    const refused = async (name: string, change: object): Promise<string> => {
      const answer = await post(`schedules/${name}/change`, change);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      return (await answer.text()).slice(0, 400);
    };
    expect(await refused("nightly", { cron: "0 4 * * *" })).toMatch(/schedule-exists.*code/);
    expect(await refused("weekly", { cron: "0 4 * * *" })).toContain("schedule-not-found");
    expect(await refused("hourly", { cron: "every hour" })).toContain("invalid-schedule");
    expect(await refused("hourly", { timezone: "Mars/Base" })).toContain("Mars/Base");
    expect(await refused("hourly", { jitter: "soon" })).toContain("jitter");
    expect(await refused("hourly", { missed: "all" })).toContain("missed: must be");
    expect(await refused("hourly", { overlap: "both" })).toContain("overlap: must be");
    expect(await refused("hourly", { job: "other" })).toContain("job: must be one of");
    expect(await refused("hourly", { cron: " " })).toContain("something that changes");
    expect(await get("schedules")).toEqual(before);
  });
});

describe("a queue is drained from the page", () => {
  const slow = defineJob<null>({ name: "slow.work", queue: "slow", retry: "none" });

  test("it is closed at once, stays on record as begun while jobs are left, and as done when it is empty", async () => {
    const held = Promise.withResolvers<void>();
    const { get, post, t } = await scene({ jobs: [slow.handler(() => held.promise)] });
    for (const id of ["a", "b"]) await t.enqueue(slow, null, { id });
    await t.enqueue(slow, null, { id: "later", delay: "1h" });
    await t.clock.advance("1s");
    const answer = await post("queues/slow/drain", { reason: "a new server" });
    expect(await answer.json()).toEqual({ count: 2, failed: [] });
    expect(await get("queues/slow")).toMatchObject({
      queue: { open: false, delayed: 1, closed: { by: ADA.name, reason: "a new server" } },
    });
    expect(await get("audit")).toMatchObject([{ action: "queues drain", outcome: "begun" }]);
    // Somebody who asks again is told how it stands, and no second drain begins.
    expect(await (await post("queues/slow/drain", {})).json()).toEqual({ count: 2, failed: [] });
    held.resolve();
    await t.clock.advance("5s");
    expect(await get("queues/slow")).toMatchObject({
      queue: { open: false, queued: 0, running: 0, delayed: 1 },
    });
    expect(await get("audit")).toMatchObject([{ action: "queues drain", outcome: "1 done" }]);
  });

  test("one that is opened again ends the drain, which drained nothing", async () => {
    const held = Promise.withResolvers<void>();
    const { get, post, t } = await scene({ jobs: [slow.handler(() => held.promise)] });
    await t.enqueue(slow, null);
    await t.clock.advance("1s");
    await post("queues/slow/drain", {});
    await post("queues/slow/resume", {});
    await t.clock.advance("5s");
    expect(await get("queues/slow")).toMatchObject({ queue: { open: true } });
    expect(await get("audit")).toMatchObject([
      { action: "queues resume", outcome: "1 done" },
      { action: "queues drain", outcome: "0 done" },
    ]);
    held.resolve();
  });

  test("a paused queue is refused, and said why", async () => {
    const { get, post, t } = await scene();
    await t.enqueue(send, { n: 1 });
    await t.drain();
    await post("queues/mail/pause", {});
    const answer = await post("queues/mail/drain", {});
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("is paused");
    expect(await get("audit")).toMatchObject([
      { action: "queues drain", outcome: "failed: invalid-option" },
      { action: "queues pause" },
    ]);
  });

  test("a dashboard that is closed meanwhile leaves the queue closed", async () => {
    const held = Promise.withResolvers<void>();
    const { dashboard, post, t } = await scene({ jobs: [slow.handler(() => held.promise)] });
    await t.enqueue(slow, null);
    await t.clock.advance("1s");
    await post("queues/slow/drain", {});
    const closed = dashboard.close();
    await t.clock.advance("1s");
    await closed;
    expect(await t.client.queues.snapshot("slow")).toMatchObject({ intake: "closed" });
    const [record] = await t.client.audit.list();
    expect(record).toMatchObject({ action: "queues drain", outcome: { state: "done", count: 0 } });
    held.resolve();
  });
});
