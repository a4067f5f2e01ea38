import {
  defineJob,
  defineMachine,
  type fatal,
  machineAddress,
  type MachineRef,
} from "@millrace/core";
import { expect, test } from "vitest";
import { assign, fromPromise, type PromiseActorLogic, sendTo, setup } from "xstate";
import { createTestRuntime } from "./index.ts";

interface Order {
  readonly cents: number;
  readonly payment: string | undefined;
  readonly problem: string | undefined;
}

/** An order as a chart: payment, a week for the manager's answer, shipping; refunded otherwise. */
const chart = setup({
  types: {
    context: {} as Order,
    input: {} as { cents: number },
    events: {} as { type: "APPROVE" } | { type: "REFUSE" } | { type: "LATE" },
    output: {} as { payment: string | undefined },
  },
  actors: {
    charge: {} as PromiseActorLogic<{ payment: string }, { cents: number }>,
    refund: fromPromise<void, { payment: string | undefined }>(async ({ input }) => {
      refunds.push(input.payment);
    }),
  },
  actions: { tell: (_, { text }: { text: string }) => void told.push(text) },
}).createMachine({
  context: ({ input }) => ({ ...input, payment: undefined, problem: undefined }),
  initial: "charging",
  output: ({ context }) => ({ payment: context.payment }),
  states: {
    charging: {
      invoke: {
        src: "charge",
        input: ({ context }) => ({ cents: context.cents }),
        onDone: {
          target: "asking",
          actions: assign({ payment: ({ event }) => event.output.payment }),
        },
        onError: {
          target: "failed",
          actions: assign({ problem: ({ event }) => (event.error as { type: string }).type }),
        },
      },
    },
    asking: {
      entry: { type: "tell", params: { text: "please approve" } },
      after: { [7 * 24 * 3_600_000]: "refunding" },
      on: { APPROVE: "shipped", REFUSE: "refunding" },
    },
    refunding: {
      invoke: {
        src: "refund",
        input: ({ context }) => ({ payment: context.payment }),
        onDone: "refunded",
      },
    },
    shipped: { type: "final" },
    refunded: { type: "final" },
    failed: { type: "final" },
  },
});

const charge = defineJob<{ cents: number }, { cents: number }, { payment: string }>({
  name: "pay.charge",
  queue: "payments",
  retry: { attempts: 2, backoff: "fixed", base: "10s", jitter: false },
});
const order = defineMachine({ name: "order", machine: chart, jobs: { charge } });
let refunds: (string | undefined)[] = [];
let told: string[] = [];

async function scene(pay: (cents: number) => { payment: string } | ReturnType<typeof fatal>) {
  refunds = [];
  told = [];
  const t = await createTestRuntime({
    jobs: [charge.handler(({ input }) => pay(input.cents))],
    machines: [order],
  });
  return t;
}

const paid = (cents: number) => ({ payment: `p-${cents}` });

test("an order is paid, approved and shipped", async () => {
  await using t = await scene(paid);
  const o = t.machine(order, "o-1");
  await o.start({ cents: 5 });
  await t.drain();
  expect(await o.snapshot()).toMatchObject({ value: "asking", context: { payment: "p-5" } });
  expect((await o.snapshot()).matches("asking")).toBe(true);
  await o.send({ type: "APPROVE" });
  const shipped = o.waitFor((snapshot) => snapshot.matches("shipped"));
  await t.clock.advance(0);
  expect(await shipped).toMatchObject({ status: "done", output: { payment: "p-5" } });
  expect([told, refunds]).toEqual([["please approve"], []]);
});

test("nobody answers for a week, which takes no time: what was paid is given back", async () => {
  await using t = await scene(paid);
  const o = t.machine(order, "o-1");
  await o.start({ cents: 5 });
  await t.drain();
  await t.clock.advance("6d");
  expect(await o.snapshot()).toMatchObject({ value: "asking" });
  await t.clock.advance("1d");
  await t.drain();
  expect(await o.snapshot()).toMatchObject({ status: "done", value: "refunded" });
  expect(refunds).toEqual(["p-5"]);
});

test("a job that fails for good is an error of its actor, after its own retries", async () => {
  let attempts = 0;
  await using t = await scene(() => {
    attempts += 1;
    throw new RangeError("no money");
  });
  const o = t.machine(order, "o-1");
  await o.start({ cents: 5 });
  await t.drain();
  expect(attempts).toBe(2);
  expect(await o.snapshot()).toMatchObject({ value: "failed", context: { problem: "RangeError" } });
});

test("a machine that was started is not started again, one that was not takes nothing", async () => {
  await using t = await scene(paid);
  const o = t.machine(order, "o-1");
  await o.send({ type: "APPROVE" });
  await t.drain();
  await expect(o.snapshot()).rejects.toMatchObject({ code: "machine-not-found" });
  await o.start({ cents: 5 });
  await o.start({ cents: 6 });
  await t.drain();
  expect(await o.snapshot()).toMatchObject({ value: "asking", context: { cents: 5 } });
});

test("events in quick succession come in their order, and one id is one event", async () => {
  await using t = await scene(paid);
  const o = t.machine(order, "o-1");
  await o.start({ cents: 5 });
  await t.drain();
  await o.send({ type: "LATE" });
  await o.send({ type: "REFUSE" }, { id: "click" });
  await o.send({ type: "APPROVE" });
  await o.send({ type: "REFUSE" }, { id: "click" });
  await t.drain();
  expect(await o.snapshot()).toMatchObject({ value: "refunded", status: "done" });
  expect(refunds).toEqual(["p-5"]);
});

test("one that was stopped is left as it stands, and is forgotten on demand", async () => {
  await using t = await scene(paid);
  const o = t.machine(order, "o-1");
  await o.start({ cents: 5 });
  await t.drain();
  await expect(t.client.machines.remove("order", "o-1")).rejects.toMatchObject({
    code: "machine-active",
  });
  await o.stop();
  await o.send({ type: "APPROVE" });
  await t.drain();
  expect(await o.snapshot()).toMatchObject({ status: "stopped", value: "asking", timers: [] });
  expect((await t.client.machines.list({ machine: "order" })).machines).toHaveLength(1);
  expect(await t.client.machines.remove("order", "o-1")).toBe(true);
  await o.start({ cents: 7 });
  await t.drain();
  expect(await o.snapshot()).toMatchObject({ status: "active", context: { payment: "p-7" } });
});

test("a job whose state is left is cancelled, whether it runs or waits for its retry", async () => {
  let attempts = 0;
  const aborted = Promise.withResolvers<unknown>();
  const ask = defineJob<null, null, string>({ name: "ask", queue: "people" });
  const machine = defineMachine({
    name: "asking",
    jobs: { ask },
    machine: setup({
      types: { events: {} as { type: "NEVER_MIND" } },
      actors: { ask: {} as PromiseActorLogic<string, null> },
    }).createMachine({
      initial: "asking",
      states: {
        asking: {
          invoke: { src: "ask", input: null, onDone: "answered", onError: "refused" },
          on: { NEVER_MIND: "over" },
        },
        answered: {},
        refused: {},
        over: {},
      },
    }),
  });
  await using t = await createTestRuntime({
    jobs: [
      ask.handler(async ({ job, signal }) => {
        attempts += 1;
        if (job.id.includes(":later:")) throw new Error("not now");
        return new Promise<never>((_, reject) => {
          signal.addEventListener("abort", () => {
            aborted.resolve(undefined);
            reject(signal.reason as Error);
          });
        });
      }),
    ],
    machines: [machine],
  });
  for (const id of ["now", "later"]) {
    const one = t.machine(machine, id);
    await one.start();
    await t.clock.advance("10ms");
    const { jobs } = await one.snapshot();
    const [{ job } = { job: "" }] = Object.values(jobs);
    await one.send({ type: "NEVER_MIND" });
    if (id === "now") {
      await t.clock.advance("1s");
      await aborted.promise;
    }
    await t.drain({ maxTime: "2s" });
    await t.assertState(job, "cancelled");
    expect(await one.snapshot()).toMatchObject({ value: "over", jobs: {} });
  }
  expect(attempts).toBe(2);
});

test("a machine sends to another, which answers, and to none that it does not name", async () => {
  type Reserve = { type: "RESERVE"; from: MachineRef };
  const stock = defineMachine({
    name: "stock",
    sendsTo: ["shop"],
    machine: setup({
      types: { context: {} as { heard: number }, events: {} as Reserve },
    }).createMachine({
      context: { heard: 0 },
      on: {
        RESERVE: {
          actions: [
            assign({ heard: ({ context }) => context.heard + 1 }),
            sendTo(({ event: { from } }) => machineAddress(from.machine, from.id), { type: "OK" }),
          ],
        },
      },
    }),
  });
  const shop = defineMachine({
    name: "shop",
    sendsTo: ["stock"],
    machine: setup({ types: { events: {} as { type: "BUY" } | { type: "OK" } } }).createMachine({
      initial: "open",
      states: {
        open: { on: { BUY: "asking" } },
        asking: {
          entry: sendTo(machineAddress(stock, "s-1"), {
            type: "RESERVE",
            from: machineAddress("shop", "a:1"),
          }),
          on: { OK: "sold", BUY: { target: "asking", reenter: true } },
        },
        sold: { type: "final" },
      },
    }),
  });
  await using t = await createTestRuntime({ jobs: [], machines: [stock, shop] });
  await t.machine(stock, "s-1").start();
  const a = t.machine(shop, "a:1");
  await a.start();
  await a.send({ type: "BUY" });
  await t.clock.advance("1s");
  expect(await a.snapshot()).toMatchObject({ status: "done", value: "sold" });
  expect(await t.machine(stock, "s-1").snapshot()).toMatchObject({ context: { heard: 1 } });

  const from = { machine: "payroll", id: "p-1" };
  await t.machine(stock, "s-1").send({ type: "RESERVE", from });
  await t.clock.advance("1s");
  expect(await t.machine(stock, "s-1").snapshot()).toMatchObject({
    context: { heard: 1 },
    trouble: {
      event: "RESERVE",
      error: { type: "machine-unsupported", message: expect.stringContaining("payroll") as string },
    },
  });
});

test("who subscribes is told how it stands, and of each change until that is ended", async () => {
  await using t = await scene(paid);
  const o = t.machine(order, "o-1");
  const seen: unknown[] = [];
  const first = await o.subscribe(({ value }) => seen.push(value));
  await o.start({ cents: 5 });
  await t.drain();
  expect(seen).toEqual(["charging", "asking"]);
  const later: unknown[] = [];
  const second = await o.subscribe(({ value }) => later.push(value));
  await first.stop();
  await o.send({ type: "APPROVE" });
  await t.drain();
  expect([seen, later]).toEqual([
    ["charging", "asking"],
    ["asking", "shipped"],
  ]);
  await second.stop();
});

test("waiting ends with its time, and where the machine has ended otherwise", async () => {
  await using t = await scene(paid);
  const o = t.machine(order, "o-1");
  const never = o.waitFor(() => false, { timeout: "1m" });
  never.catch(() => {});
  await t.clock.advance("1m");
  await expect(never).rejects.toMatchObject({ code: "result-timeout" });
  await o.start({ cents: 5 });
  await o.stop();
  await t.drain();
  await expect(o.waitFor(() => false)).rejects.toMatchObject({ code: "machine-ended" });
});

test("what can't be sent is refused before it is", async () => {
  await using t = await scene(paid);
  const o = t.machine(order, "o-1");
  const send = (event: unknown) => o.send(event as never);
  await expect(send({ type: "xstate.done.actor.x" })).rejects.toMatchObject({
    code: "invalid-message",
  });
  await expect(send("APPROVE")).rejects.toMatchObject({ code: "invalid-message" });
  await expect(send({ type: "A", at: new Date() })).rejects.toMatchObject({
    code: "unserializable-payload",
  });
  const wide = {
    code: "unserializable-payload",
    message: expect.stringContaining("2^53") as string,
  };
  await expect(send({ type: "A", at: 2 ** 53 })).rejects.toMatchObject(wide);
  await expect(o.start({ cents: 2 ** 53 })).rejects.toMatchObject(wide);
  await expect(send({ type: "A", text: "x".repeat(300_000) })).rejects.toMatchObject({
    code: "payload-too-large",
  });
  expect(() => t.machine(order, "a.b")).toThrow(expect.objectContaining({ code: "invalid-name" }));
});
