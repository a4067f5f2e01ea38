import type { MachineChart } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { claim } from "./claim.ts";
import { ADA, BOB, scene, send } from "./scene.ts";

const SEND = "machines/claim/c-1/send";

async function claimed(user = ADA) {
  const of = await scene({ user: () => user });
  const machine = of.t.machine(claim, "c-1");
  await machine.start({ customer: "ann" });
  await of.t.clock.advance("1s");
  return { ...of, machine };
}

test("machines are listed by name and status, the one that changed last first", async () => {
  const { get, t } = await claimed();
  const other = t.machine(claim, "c-2");
  await other.start({ customer: "bob" });
  await other.send({ type: "ACCEPT" });
  await t.clock.advance("1s");
  const nextAt = expect.any(Number) as number;
  const first = { machine: "claim", id: "c-1", status: "active", state: "open.unread", nextAt };
  const second = { machine: "claim", id: "c-2", status: "done", state: "accepted" };
  expect(await get("machines")).toMatchObject({ rows: [second, first] });
  expect(await get("machines?status=active")).toMatchObject({ rows: [first] });
  expect(await get("machines?machine=claim&status=done")).toMatchObject({ rows: [second] });
  expect(await get("machines?state=open")).toMatchObject({ rows: [first] });
  expect(await get("machines?machine=order")).toEqual({ rows: [] });
  await expect(get("machines?after=end")).rejects.toThrow(/^Error: 400|^400/);
  await expect(get("machines?status=asleep")).rejects.toThrow(/^Error: 400|^400/);
});

test("one is shown masked, with what it waits for and the way it took", async () => {
  const { get, machine, t } = await claimed();
  await machine.send({ type: "NOTE", note: "seen" });
  await machine.send({ type: "BOOM" });
  await t.clock.advance("1s");
  const shown = await get<object>("machines/claim/c-1");
  expect(shown).toMatchObject({
    ...{ machine: "claim", id: "c-1", status: "active", state: "open.read", version: 1 },
    context: { customer: "ann", password: "***", note: "seen" },
    failedEvent: { event: "BOOM" },
    jobs: [],
    timers: [{ event: expect.stringContaining("xstate.after") as string }],
    trail: [
      { event: "NOTE", state: "open.read" },
      { event: "xstate.init", state: "open.unread" },
    ],
  });
  expect(JSON.stringify(shown)).not.toMatch(/hunter2|s3cr3t/);
  await expect(get("machines/claim/none")).rejects.toThrow("404");
});

test("a machine's chart is told to whoever draws it, and how many are in each of its states", async () => {
  const { get, machine, t } = await claimed();
  await machine.send({ type: "NOTE", note: "seen" });
  await t.machine(claim, "c-2").start({ customer: "bob" });
  await t.machine(claim, "c-3").start({ customer: "eve" });
  await t.machine(claim, "c-3").send({ type: "ACCEPT" });
  await t.clock.advance("1s");
  const { chart } = await get<{ chart?: MachineChart }>("charts/claim?version=1");
  expect(chart?.states.map(({ path }) => path)).toEqual([
    ...["open", "open.unread", "open.read", "accepted", "lapsed"],
  ]);
  expect(chart?.transitions.map(({ label, to }) => `${label}: ${to.join()}`)).toContain(
    "after 7d: lapsed",
  );
  expect(await get("charts/claim/counts")).toEqual({
    byState: { "open.read": 1, "open.unread": 1 },
  });
  expect(await t.client.machines.count("claim")).toMatchObject({
    byStatus: { active: 2, done: 1, error: 0, stopped: 0 },
  });
  expect(await get("machines/claim/c-1")).toMatchObject({
    active: ["open.read"],
    trail: [{ active: ["open.read"] }, { active: ["open.unread"] }],
  });
  expect(await get("charts/claim?version=2")).toEqual({});
  expect(await get("charts/none")).toEqual({});
  await expect(get("charts/claim?version=new")).rejects.toThrow("400");
});

test("an operator sends an event; that is on record, and nothing of what it carries", async () => {
  const { get, post, t } = await claimed();
  const event = { type: "NOTE", note: "password=hunter2" };
  expect(await (await post(SEND, { value: event })).json()).toEqual({ count: 1, failed: [] });
  await t.clock.advance("1s");
  expect(await get("machines/claim/c-1")).toMatchObject({ state: "open.read" });
  expect((await post("machines/claim/none/send", { value: event })).status).toBe(404);
  const audit = await get("audit");
  expect(audit).toMatchObject([
    { action: "machines send", by: ADA.name, outcome: "failed: machine-not-found" },
    {
      ...{ action: "machines send", by: ADA.name, outcome: "1 done" },
      which: "machine=claim id=c-1 event=NOTE",
    },
  ]);
  expect(JSON.stringify(audit)).not.toContain("hunter2");
});

test.each([
  ["nothing", {}],
  ["no type", { value: { note: "x" } }],
  ["no object", { value: "ACCEPT" }],
  ["XState's own event", { value: { type: "xstate.stop" } }],
  ["a misspelt field", { value: { type: "ACCEPT" }, vlaue: 1 }],
])("no event is sent with %s", async (_what, body) => {
  const { get, post, t } = await claimed();
  expect((await post(SEND, body)).status).toBe(400);
  await t.clock.advance("1s");
  expect(await get("machines/claim/c-1")).toMatchObject({ status: "active", state: "open.unread" });
});

test("neither a viewer nor another site's form sends one", async () => {
  const viewed = await claimed(BOB);
  expect((await viewed.post(SEND, { value: { type: "ACCEPT" } })).status).toBe(403);
  const owned = await claimed();
  const form = { "content-type": "application/x-www-form-urlencoded" };
  expect((await owned.post(SEND, { value: { type: "ACCEPT" } }, form)).status).toBe(403);
  for (const { get, t } of [viewed, owned]) {
    await t.clock.advance("1s");
    expect(await get("machines/claim/c-1")).toMatchObject({ status: "active" });
    expect(await get("audit")).toEqual([]);
  }
});

test("the runtime's own machines are told, with how many are in a state that somebody knows", async () => {
  const { get, t } = await claimed();
  const waiter = { holder: "web-1", since: t.clock.now() };
  const waits = await t.client.broker.locks.onRelease("leader/scheduler", () => {}, waiter);
  onTestFinished(() => waits.stop());
  await t.client.queues.pause("mail");
  await t.enqueue(send, { n: 1 }, { id: "waits" });
  await t.clock.advance("30s");
  const { machines, leader, lost } = await get<{
    readonly machines: readonly {
      readonly name: string;
      readonly chart: MachineChart;
      readonly byState: Readonly<Record<string, number>>;
    }[];
    readonly leader?: string;
    readonly lost: number;
  }>("machines/runtime");
  expect({ leader, lost }).toEqual({ leader: "test-node", lost: 0 });
  expect(machines.map(({ name, byState }) => [name, byState])).toEqual([
    ["execution", { queued: 1, running: 0 }],
    ["node", { running: 1 }],
    ["scheduler", { leading: 1 }],
    ["lock", { "holding.held": 1, waiting: 1 }],
  ]);
  for (const { chart, byState } of machines) {
    const paths = chart.states.map(({ path }) => path);
    for (const path of Object.keys(byState)) expect(paths).toContain(path);
  }
});
