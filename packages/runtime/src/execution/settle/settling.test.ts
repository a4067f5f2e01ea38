import { defineJob, fatal, MillraceError, type RetryOptions, snooze } from "@millrace/core";
import { expect, test, vi } from "vitest";
import { latch, QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";

const NO_ANSWER = new MillraceError("publish-timeout", "no answer");

const jobThat = (handle: () => unknown, retry: RetryOptions | "none" = "none") =>
  defineJob({ name: "t.job", queue: QUEUE, retry }).handler(handle);

test("a settlement that fails for a while is tried again until it is confirmed", async () => {
  const release = latch();
  const { broker, clock, enqueue, history, node, said } = await simulatedNode({
    jobs: [jobThat(() => release.promise)],
  });
  await enqueue("t.job");
  broker.disconnect();
  release.open();
  await clock.advance("5s");
  expect(said.filter((line) => line === "trouble a").length).toBeGreaterThan(3);
  expect(said).not.toContain("settled a succeeded succeeded");
  expect(node.running).toHaveLength(1);
  broker.reconnect();
  await clock.advance("2s");
  expect(said.at(-1)).toBe("settled a succeeded succeeded");
  expect(await history()).toMatchObject([{ state: "succeeded" }]);
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0 });
  expect(node.running).toHaveLength(0);
});

test("it is given up when the lease can't be confirmed", async () => {
  const release = latch();
  const { broker, clock, enqueue, node, said } = await simulatedNode({
    jobs: [jobThat(() => release.promise)],
  });
  await enqueue("t.job");
  broker.disconnect();
  release.open();
  await clock.advance("28s");
  // 10 % of the lease of 30 s is the holder's margin.
  expect(said.at(-1)).toBe("settled a abandoned lease-lost");
  expect(node.running).toHaveLength(0);
  broker.reconnect();
  await clock.advance("31s");
  expect(said.at(-1)).toBe("settled a succeeded succeeded");
});

test("a lease that goes between two tries ends the wait at once", async () => {
  const { broker, clock, enqueue, said } = await simulatedNode({ jobs: [jobThat(() => "done")] });
  for (let i = 0; i < 9; i += 1) broker.failNext("record", NO_ANSWER);
  await enqueue("t.job");
  // Past the pauses of 50, 200, 500 and 1,000 ms, into one of 2 s.
  await clock.advance("1800ms");
  broker.loseLeases(QUEUE);
  await clock.advance(0);
  expect(said).toContain("settled a abandoned lease-lost");
});

test.each(["requeue", "record", "ack"] as const)(
  "one failure at the %s costs nothing",
  async (step) => {
    let runs = 0;
    const { broker, clock, enqueue, history } = await simulatedNode({
      jobs: [
        jobThat(
          () => {
            runs += 1;
            if (runs === 1) throw new Error("no");
          },
          { attempts: 2, backoff: "fixed", base: "1s", jitter: false },
        ),
      ],
    });
    broker.failNext(step, NO_ANSWER);
    await enqueue("t.job");
    await clock.advance("10s");
    expect(runs).toBe(2);
    expect((await history()).map(({ state }) => state)).toEqual(["requeued", "succeeded"]);
    expect(await broker.queues.snapshot(QUEUE)).toMatchObject({
      queued: 0,
      running: 0,
      delayed: 0,
    });
  },
);

test("a lost lease aborts the signal with its code, and nothing is settled", async () => {
  let reason: unknown;
  let first: number | undefined;
  const release = latch();
  const { broker, clock, enqueue, history, said } = await simulatedNode({
    jobs: [
      defineJob({ name: "t.job", queue: QUEUE }).handler(({ signal, token }) => {
        first ??= token;
        if (token > first) return "second";
        signal.addEventListener("abort", () => (reason = signal.reason));
        return release.promise;
      }),
    ],
  });
  await enqueue("t.job");
  broker.loseLeases(QUEUE);
  expect(reason).toMatchObject({ code: "lease-lost" });
  release.open();
  await clock.advance(0);
  expect(said.slice(1)).toEqual([
    "redelivered a",
    "lost a",
    "settled a abandoned lease-lost",
    "started a",
    "settled a succeeded succeeded",
  ]);
  expect(await history()).toMatchObject([{ state: "succeeded", output: "second" }]);
});

test.each<[string, () => unknown]>([
  ["unserializable", (): unknown => () => {}],
  ["unserializable", (): unknown => 1n],
  ["too-large", (): unknown => "x".repeat(2_000_000)],
] as const)(
  "a result that is %s is left out of the history; the job has succeeded",
  async (outputDropped, make) => {
    const { broker, clock, enqueue, history } = await simulatedNode({ jobs: [jobThat(make)] });
    // The memory broker's history takes any size; a server's does not.
    if (outputDropped === "too-large")
      broker.failNext("record", new MillraceError("payload-too-large", "too large"));
    await enqueue("t.job");
    await clock.advance("1s");
    const [record, ...more] = await history();
    expect(record).toMatchObject({ state: "succeeded", outputDropped });
    expect(record).not.toHaveProperty("output");
    expect(more).toEqual([]);
    expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0, dead: 0 });
  },
);

test.each<[string, () => unknown, string]>([
  ["a Map", () => ({ seen: new Map() }), "output.seen is a Map"],
  ["a bigint", () => [{ sum: 1n }], "output[0].sum is a bigint"],
  ["half a character", () => ({ name: "\ud800" }), "output.name has half a character"],
  ["a promise", () => ({ user: Promise.resolve() }), "output.user is a Promise"],
])("a result with %s is not kept, and the record says where it is", async (_what, make, reason) => {
  const { clock, enqueue, history } = await simulatedNode({ jobs: [jobThat(make)] });
  await enqueue("t.job");
  await clock.advance("1s");
  expect(await history()).toMatchObject([
    {
      state: "succeeded",
      outputDropped: "unserializable",
      reason: expect.stringContaining(reason) as string,
    },
  ]);
});

test("a result with a toJSON is kept as that says", async () => {
  const make = (): unknown => ({ at: new URL("https://a.example"), since: new Date(5) });
  const { clock, enqueue, history } = await simulatedNode({ jobs: [jobThat(make)] });
  await enqueue("t.job");
  await clock.advance("1s");
  expect(await history()).toMatchObject([
    { state: "succeeded", output: { at: "https://a.example/", since: new Date(5) } },
  ]);
});

test("a result that is refused without its output too is tried again with pauses", async () => {
  const { broker, clock, enqueue, history, said } = await simulatedNode({
    jobs: [jobThat(() => "much")],
  });
  for (let i = 0; i < 3; i += 1)
    broker.failNext("record", new MillraceError("payload-too-large", "too large"));
  await enqueue("t.job");
  expect(said).toEqual(["started a", "trouble a"]);
  await clock.advance("1s");
  expect(await history()).toMatchObject([{ state: "succeeded", outputDropped: "too-large" }]);
});

test("a requeue that is too large makes a dead letter", async () => {
  const { broker, clock, enqueue, history } = await simulatedNode({
    jobs: [jobThat(() => snooze("1s"))],
  });
  broker.failNext("requeue", new MillraceError("payload-too-large", "it grew"));
  await enqueue("t.job");
  await clock.advance("1s");
  expect(await broker.deadLetters.list()).toMatchObject([
    {
      id: "a",
      reason: "payload-too-large",
      error: { type: "payload-too-large", message: "it grew" },
    },
  ]);
  expect(await history()).toMatchObject([{ state: "dead", reason: "payload-too-large" }]);
});

test("a retry policy that throws costs the job its further attempts, not the node", async () => {
  const { broker, enqueue, history, node } = await simulatedNode({
    jobs: [
      jobThat(
        () => {
          throw new Error("handler");
        },
        {
          attempts: 5,
          backoff: () => {
            throw new Error("policy");
          },
        },
      ),
    ],
  });
  await enqueue("t.job");
  expect(await history()).toMatchObject([
    { state: "dead", attempts: 1, error: { message: "handler" } },
  ]);
  expect(await broker.deadLetters.list()).toMatchObject([{ reason: "attempts-exhausted" }]);
  expect(node.state).toBe("running");
});

test("a policy that answers nonsense is one that throws", async () => {
  const { enqueue, history } = await simulatedNode({
    jobs: [
      jobThat(
        () => {
          throw new Error("handler");
        },
        { attempts: 5, backoff: () => Number.NaN },
      ),
    ],
  });
  await enqueue("t.job");
  expect(await history()).toMatchObject([{ state: "dead", attempts: 1 }]);
});

test("collectors and logs that throw are complained of; jobs, slots and the other listeners don't notice", async () => {
  const broken = (): never => {
    throw new Error("broken");
  };
  const error = vi.fn();
  const log = { debug() {}, info() {}, warn() {}, error, child: () => log };
  const { clock, enqueue, history, node, said } = await simulatedNode({
    jobs: [jobThat(() => "done")],
    slots: 1,
    log,
    metrics: { increment: broken, observe: broken, gauge() {} },
    executionLog: { record: broken, close: async () => {} },
  });
  node.events.on("job.settled", broken);
  await enqueue("t.job");
  await enqueue("t.job", null, { id: "b" });
  await clock.advance(0);
  expect(await history("a")).toMatchObject([{ state: "succeeded" }]);
  expect(await history("b")).toMatchObject([{ state: "succeeded" }]);
  expect(said).toContain("settled b succeeded succeeded");
  expect(error).toHaveBeenCalledWith(
    expect.objectContaining({ error: expect.objectContaining({ message: "broken" }) as object }),
    expect.any(String),
  );
});

test("the execution log gets one record per settled delivery, after it was confirmed", async () => {
  const record = vi.fn();
  const { broker, clock, enqueue } = await simulatedNode({
    jobs: [jobThat(() => fatal("no"))],
    executionLog: { record, close: async () => {} },
  });
  broker.failNext("ack", NO_ANSWER);
  await enqueue("t.job");
  expect(record).not.toHaveBeenCalled();
  await clock.advance("1s");
  expect(record.mock.calls).toMatchObject([
    [
      { id: "a", state: "dead", reason: "fatal" },
      { id: "a", attempts: 0, payload: null },
      undefined,
    ],
  ]);
});

test("the execution log hears of a run whose lease was lost, which the history doesn't", async () => {
  const record = vi.fn();
  const { broker, clock, enqueue, history } = await simulatedNode({
    jobs: [
      defineJob({ name: "t.job", queue: QUEUE }).handler(
        ({ signal }) =>
          new Promise((resolve) => {
            signal.addEventListener("abort", resolve);
          }),
      ),
    ],
    executionLog: { record, close: async () => {} },
  });
  await enqueue("t.job");
  broker.loseLeases(QUEUE);
  await clock.advance("1ms");
  expect(record.mock.calls).toMatchObject([
    [{ id: "a", state: "abandoned", outcome: "lease-lost", attempts: 0 }, { id: "a" }, undefined],
  ]);
  expect(await history()).toEqual([]);
});
