import {
  defineJob,
  type Envelope,
  type Logger,
  silentLogger,
  type Steps,
  type StepsOptions,
  UNSETTLED,
} from "@millrace/core";
import { MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { makeNode, QUEUE, stopInTime } from "../../../fixtures/simulated-node.ts";
import type { ExecutionHost } from "../../execution-host.ts";
import { leftUntil } from "./other-versions.ts";

/** Nodes of several versions of one job, one after the other, on one server. */
function deployments() {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const did: string[] = [];
  const warned: string[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (_fields, message) => void warned.push(message),
    child: () => log,
  };
  const deploy = async (steps: StepsOptions, handle: (step: Steps) => Promise<unknown>) => {
    const job = defineJob({ name: "t.job", queue: QUEUE, steps, retry: "none" });
    const made = makeNode({ clock, server, log, jobs: [job.handler(({ step }) => handle(step))] });
    await made.node.start();
    return { ...made, stop: () => stopInTime(made.node, clock) };
  };
  /** What the versions do: version 2 checks for fraud, in runs of its own. */
  const order = async (step: Steps): Promise<string> => {
    const version = await step.version();
    if (version >= 2) await step.run("check", () => void did.push("check"));
    await step.run("charge", () => void did.push("charge"));
    await step.sleep("rest", "1h");
    await step.run("ship", () => void did.push("ship"));
    return `by version ${version}`;
  };
  return { clock, did, warned, deploy, order };
}

test("a newer handler goes on with an older run, and can ask which version began it", async () => {
  const { clock, did, deploy, order } = deployments();
  const old = await deploy({}, order);
  await old.enqueue("t.job");
  await old.stop();
  expect(did).toEqual(["charge"]);

  const { enqueue, history } = await deploy({ version: 2 }, order);
  await enqueue("t.job", null, { id: "b" });
  await clock.advance("2h");
  expect(did).toEqual(["charge", "check", "charge", "ship", "ship"]);
  expect((await history("a")).at(-1)).toMatchObject({
    state: "succeeded",
    output: "by version 1",
  });
  expect((await history("b")).at(-1)).toMatchObject({ output: "by version 2" });
});

test("what a newer handler records in an older run is of the older version", async () => {
  const { clock, deploy, order } = deployments();
  const old = await deploy({}, order);
  await old.enqueue("t.job");
  await old.stop();
  const twice = async (step: Steps): Promise<unknown> => {
    await step.run("charge", () => {});
    await step.sleep("rest", "1h");
    await step.sleep("more", "1h");
    return step.version();
  };
  const second = await deploy({ version: 2 }, twice);
  await clock.advance("90m");
  await second.stop();
  const third = await deploy({ version: 3 }, twice);
  await clock.advance("2h");
  expect((await third.history()).at(-1)).toMatchObject({ state: "succeeded", output: 1 });
});

test("where older runs are left, they are put off until an older node comes by", async () => {
  const { clock, did, warned, deploy, order } = deployments();
  const old = await deploy({ version: 1 }, order);
  await old.enqueue("t.job");
  await old.stop();

  const newer = await deploy({ version: 2, olderRuns: "leave" }, order);
  await clock.advance("2h");
  expect(did).toEqual(["charge"]);
  const [stored] = await newer.broker.deadLetters.list();
  expect(stored).toBeUndefined();
  const last = (await newer.history()).at(-1);
  expect(last).toMatchObject({ state: "requeued", outcome: "snoozed", attempts: 0 });
  expect(warned.filter((line) => line.includes("another version"))).toHaveLength(1);
  await newer.stop();

  const again = await deploy({ version: 1 }, order);
  await clock.advance("1m");
  expect(did).toEqual(["charge", "ship"]);
  expect((await again.history()).at(-1)).toMatchObject({ state: "succeeded" });
});

test("where older runs are rejected, they are dead and say which version they need", async () => {
  const { clock, did, deploy, order } = deployments();
  const old = await deploy({ version: 1 }, order);
  await old.enqueue("t.job");
  await old.stop();

  const newer = await deploy({ version: 2, olderRuns: "reject" }, order);
  await clock.advance("2h");
  expect(did).toEqual(["charge"]);
  expect(await newer.broker.deadLetters.list()).toMatchObject([
    {
      id: "a",
      error: { type: "journal-mismatch", message: expect.stringContaining("version 1") },
    },
  ]);
});

test.each(["run", "leave", "reject"] as const)(
  "an older node leaves a newer run to newer ones, with olderRuns: %s",
  async (olderRuns) => {
    const { clock, did, deploy, order } = deployments();
    const newer = await deploy({ version: 2 }, order);
    await newer.enqueue("t.job");
    await newer.stop();

    const old = await deploy({ version: 1, olderRuns }, order);
    await clock.advance("2h");
    expect(did).toEqual(["check", "charge"]);
    expect(await old.broker.deadLetters.list()).toEqual([]);
    await old.stop();

    const again = await deploy({ version: 2 }, order);
    await clock.advance("1m");
    expect(did).toEqual(["check", "charge", "ship"]);
    expect((await again.history()).at(-1)).toMatchObject({ output: "by version 2" });
  },
);

test("two runs that are left at the same time do not come again at the same time", () => {
  const clock = new SimulatedClock();
  const envelope = { ...UNSETTLED, id: "a", name: "t.job", queue: QUEUE } as Envelope;
  const leftFor = (random: number): number => {
    const host = { clock, log: silentLogger, random: () => random } as unknown as ExecutionHost;
    return (leftUntil(host, envelope, { version: 2, olderRuns: "leave" }, 1) ?? 0) - clock.now();
  };
  expect([0, 0.5, 0.75].map(leftFor)).toEqual([2_500, 5_000, 6_250]);
});
