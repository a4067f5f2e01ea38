import {
  type Broker,
  defineJob,
  MillraceError,
  silentLogger,
  UNSETTLED,
  writeSignal,
} from "@millrace/core";
import { type MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { describe, expect, test, vi } from "vitest";
import { latch, QUEUE, type SimulatedNode, simulatedNode } from "../../fixtures/simulated-node.ts";
import { defineStepsJob } from "../../fixtures/steps-scene.ts";
import { secondLooks } from "./second-looks.ts";

/** A broker whose server is a member of a cluster: a leader may answer that was replaced. */
function ofCluster(broker: MemoryBroker, isCluster = true): void {
  Object.defineProperty(broker, "solitary", { value: !isCluster });
}

/** Once the switch is on, the next answer is what an old leader would say. */
function oldAnswer<Store extends object, Name extends keyof Store & string>(
  store: Store,
  name: Name,
  answer: unknown,
): { isOn: boolean } {
  const state = { isOn: false };
  const honest = (store[name] as (...given: unknown[]) => unknown).bind(store);
  Object.assign(store, {
    [name]: (...given: unknown[]): unknown => {
      if (!state.isOn) return honest(...given);
      state.isOn = false;
      return Promise.resolve(answer);
    },
  });
  return state;
}

describe("a job that has called another", () => {
  const child = defineJob({ name: "t.child", queue: QUEUE, retry: "none" });

  async function scene(): Promise<SimulatedNode & { readonly open: () => void }> {
    const release = latch();
    const made = await simulatedNode({
      jobs: [
        defineStepsJob().handler(({ step }) => step.call(child, null)),
        child.handler(async () => {
          await release.promise;
          return 7;
        }),
      ],
      slots: 2,
    });
    await made.enqueue("t.job");
    await made.clock.advance("1m");
    return { ...made, open: release.open };
  }

  test.each([
    ["that waits for it", "journal", "read", []],
    ["that was put aside", "delayed", "of", []],
  ] as const)(
    "is told of its end half a minute later, where no job was seen %s",
    async (_what, store, name, answer) => {
      const { broker, clock, history, open } = await scene();
      ofCluster(broker);
      const old = oldAnswer(broker[store], name as never, answer);
      old.isOn = true;
      open();
      await clock.advance("29s");
      expect(old.isOn).toBe(false);
      expect(await history()).toMatchObject([{ state: "requeued" }]);
      await clock.advance("3s");
      expect((await history()).at(-1)).toMatchObject({ state: "succeeded", output: 7 });
    },
  );

  test("is looked for once where one server keeps all", async () => {
    const { broker, clock, history, open } = await scene();
    const old = oldAnswer(broker.journal, "read", []);
    old.isOn = true;
    open();
    await clock.advance("10m");
    expect(await history()).toMatchObject([{ state: "requeued" }]);
  });
});

test("a job that is put aside while its signal comes is woken half a minute later, if that was not seen", async () => {
  const { broker, clock, enqueue, history } = await simulatedNode({
    jobs: [defineStepsJob().handler(({ step }) => step.waitFor("go"))],
  });
  ofCluster(broker);
  const { signals } = broker;
  const read = signals.read.bind(signals);
  const look = vi.spyOn(signals, "read");
  look.mockImplementationOnce(async (signal) => {
    const found = await read(signal);
    // Whoever is told of it finds no job that was put aside.
    await signals.send(signal, writeSignal(1, "s"));
    return found;
  });
  look.mockResolvedValueOnce([]);
  await enqueue("t.job");
  await clock.advance("29s");
  expect(await history()).toMatchObject([{ state: "requeued" }]);
  await clock.advance("3s");
  expect((await history()).at(-1)).toMatchObject({ state: "succeeded", output: 1 });
});

describe("a batch", () => {
  const callback = {
    ...UNSETTLED,
    ...{ id: "b:callback", name: "t.over", queue: QUEUE, payload: null, headers: {} },
  };
  const open = (broker: Broker, at: number): Promise<void> =>
    broker.batches.open({ id: "b", createdAt: at, callback: { ...callback, createdAt: at } });

  async function scene() {
    const over: unknown[] = [];
    const release = latch();
    const made = await simulatedNode({
      jobs: [
        defineJob({ name: "t.member", queue: QUEUE, retry: "none" }).handler(() => release.promise),
        defineJob({ name: "t.over", queue: QUEUE, retry: "none" }).handler(({ input }) =>
          over.push(input),
        ),
      ],
      slots: 3,
    });
    await open(made.broker, made.clock.now());
    await made.broker.batches.join("b", [
      { id: "m1", queue: QUEUE },
      { id: "m2", queue: QUEUE },
    ]);
    for (const id of ["m1", "m2"])
      await made.enqueue("t.member", null, { id, batch: "b", createdAt: made.clock.now() });
    ofCluster(made.broker);
    return { ...made, over, open: release.open };
  }

  test.each([
    ["others were seen that had left it", true],
    ["a member of it was not known", undefined],
  ])("calls back half a minute later, where %s", async (_what, answer) => {
    const { broker, clock, over, open: go } = await scene();
    const { batches } = broker;
    const leave = batches.leave.bind(batches);
    const old = async (...given: Parameters<typeof leave>): Promise<typeof answer> => {
      if (answer === true) await leave(...given);
      return answer;
    };
    vi.spyOn(batches, "leave").mockImplementationOnce(old).mockImplementationOnce(old);
    go();
    await clock.advance("29s");
    expect(over).toEqual([]);
    await clock.advance("3s");
    expect(over).toMatchObject([{ batch: { total: 2, succeeded: 2 } }]);
    expect(await batches.find("b")).toBeUndefined();
    await clock.advance("5m");
    expect(over).toHaveLength(1);
  });

  test("that is still open was seen so, where its last job calls back later", async () => {
    const { broker, clock, over, open: go } = await scene();
    const { batches } = broker;
    vi.spyOn(batches, "left").mockResolvedValueOnce(1);
    go();
    await clock.advance("29s");
    expect(over).toEqual([]);
    await clock.advance("3s");
    expect(over).toMatchObject([{ batch: { total: 2 } }]);
  });

  test("whose callback can't be enqueued then either is told of by a dead letter with the reason", async () => {
    const { broker, clock, over, open: go } = await scene();
    vi.spyOn(broker.batches, "left").mockResolvedValueOnce(1);
    go();
    await clock.advance("29s");
    const refused = new MillraceError("permission-denied", "no right");
    vi.spyOn(broker, "requeue").mockRejectedValueOnce(refused);
    await clock.advance("3s");
    expect(over).toEqual([]);
    expect(await broker.deadLetters.list()).toMatchObject([
      {
        id: "b:callback",
        reason: "chain-broken",
        error: { message: expect.stringContaining("no right") },
      },
    ]);
    expect(await broker.batches.find("b")).toBeUndefined();
  });

  test("that was made since keeps its jobs, whose ids were used before", async () => {
    const { broker, clock, over, open: go } = await scene();
    go();
    await clock.advance("1s");
    expect(over).toHaveLength(1);
    await open(broker, clock.now());
    await broker.batches.join("b", [{ id: "m2", queue: QUEUE }]);
    await clock.advance("2m");
    expect(await broker.batches.left("b")).toBe(1);
    expect(over).toHaveLength(1);
  });
});

describe("second looks", () => {
  function setUp(solitary = false) {
    const clock = new SimulatedClock();
    const looks = secondLooks({ broker: { solitary }, clock, log: silentLogger });
    return { clock, looks, look: vi.fn(async () => {}) };
  }

  test("of one key are one, and one more where it was asked for meanwhile", async () => {
    const { clock, looks, look } = setUp();
    looks.later("a", look);
    looks.later("b", look);
    await clock.advance("20s");
    looks.later("a", look);
    await clock.advance("10s");
    expect(look).toHaveBeenCalledTimes(2);
    await clock.advance("1h");
    expect(look).toHaveBeenCalledTimes(3);
  });

  test("that fail are made again, and given up in the end", async () => {
    const { clock, looks, look } = setUp();
    look.mockRejectedValue(new Error("no"));
    looks.later("a", look);
    await clock.advance("1h");
    expect(look).toHaveBeenCalledTimes(10);
    looks.later("a", look);
    await clock.advance("30s");
    expect(look).toHaveBeenCalledTimes(11);
  });

  test("are 10,000 at most, and none where one server keeps all or the node has stopped", async () => {
    const { clock, looks, look } = setUp();
    for (let n = 0; n < 10_001; n += 1) looks.later(`${n}`, look);
    await clock.advance("1m");
    expect(look).toHaveBeenCalledTimes(10_000);
    looks.later("a", look);
    await looks.stop();
    looks.later("b", look);
    const alone = setUp(true);
    alone.looks.later("a", alone.look);
    await Promise.all([clock.advance("1h"), alone.clock.advance("1h")]);
    expect(look).toHaveBeenCalledTimes(10_000);
    expect(alone.look).not.toHaveBeenCalled();
  });
});
