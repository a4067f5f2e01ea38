import { join } from "node:path";
import { connectBroker } from "@millrace/broker-nats";
import { brokerOutlet, Producer, systemClock } from "@millrace/core";
import { expect, it } from "vitest";
import { startChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { together } from "../reliability/harness/together.ts";
import { indexJob, QUEUE, type RuleName, RULES, type Update } from "./index-job.ts";

type Step = "before the claim" | "between claim and publish" | "after the publish";

/** A claim's lease, and the time a busy machine needs beside it. */
const LEASE_MS = 10_000;
const SLACK_MS = 15_000;

describeEachServer("a producer that dies or freezes", (server) => {
  /**
   * A process that was killed at this step of enqueueing job `dead`, and a producer that comes
   * after it.
   */
  async function killedAt(step: Step, rule: RuleName = "pending") {
    const namespace = server.namespace();
    const broker = await connectBroker({ servers: server.url, namespace });
    cleanUpLater(() => broker.close());
    await broker.queues.ensure(QUEUE);
    const producer = new Producer(brokerOutlet(broker, systemClock), systemClock);
    const job = indexJob(RULES[rule]);
    const enqueue = (version: number, doc = "a") =>
      producer.enqueue(job, { doc, version }, { id: `v${version}` });
    const reach = async () => {
      const child = startChild(join(import.meta.dirname, "programs/dying-program.ts"), {
        args: [server.url, namespace, step, rule, "dead"],
      });
      await child.message(
        (said): said is { at: Step } => (said as { at: Step }).at === step,
        20_000,
      );
      return child;
    };
    const kill = async () => (await reach()).kill();
    return { namespace, broker, enqueue, reach, kill, job };
  }

  it("before it claimed leaves nothing", async () => {
    const { enqueue, kill } = await killedAt("before the claim");
    await kill();
    expect(await enqueue(2)).toMatchObject({ id: "v2", duplicate: false });
  });

  it("between claim and publish blocks the key for the claim's lease, and the job it was to replace keeps its run", async () => {
    // An election lasts about as long as the lease.
    await server.calm();
    await together({
      "the key": async () => {
        const { enqueue, kill } = await killedAt("between claim and publish");
        await kill();
        const killedAtMs = performance.now();
        expect(await enqueue(2)).toMatchObject({ id: "dead", conflict: { kind: "kept" } });
        let version = 2;
        const enqueued = await eventually(
          async () => {
            const next = await enqueue((version += 1));
            return next.duplicate ? undefined : next;
          },
          { withinMs: LEASE_MS + SLACK_MS, everyMs: 250, describe: "the key is free again" },
        );
        expect(enqueued.id).toBe(`v${version}`);
        // The lease began a moment before the process said that it was there.
        expect(performance.now() - killedAtMs).toBeGreaterThan(LEASE_MS - 2_000);
      },
      "the replaced job": async () => {
        const { enqueue, kill, namespace, job } = await killedAt(
          "between claim and publish",
          "replace",
        );
        await enqueue(1);
        await kill();
        const ran: Update[] = [];
        await startNodeOnServer(server, {
          namespace,
          jobs: [job.handler(({ input }) => void ran.push(input))],
        });
        await eventually(() => ran.length > 0, {
          withinMs: LEASE_MS + SLACK_MS,
          describe: "the job that was to give way runs",
        });
        expect(ran).toEqual([{ doc: "a", version: 1 }]);
      },
    });
  });

  it("is frozen between claim and publish for longer than the lease: its job is cancelled when it comes", async () => {
    const { reach, namespace, job, broker, enqueue } = await killedAt(
      "between claim and publish",
      "running",
    );
    const ran: Update[] = [];
    const { promise: held, resolve: end } = Promise.withResolvers<void>();
    cleanUpLater(end);
    const handled = job.handler(async ({ input }) => {
      ran.push(input);
      if (input.doc === "a") await held;
    });
    await startNodeOnServer(server, { namespace, jobs: [handled] });
    const child = await reach();
    await child.freeze();
    let version = 1;
    await eventually(async () => !(await enqueue((version += 1))).duplicate, {
      withinMs: LEASE_MS + SLACK_MS,
      everyMs: 250,
      describe: "the key is free again",
    });
    // The node goes on with other keys meanwhile.
    await enqueue(1_000, "b");
    await enqueue(1_001, "c");
    await eventually(() => ran.length === 3, { withinMs: 20_000, describe: "three jobs run" });
    child.signal("SIGCONT");
    child.send({ go: "on" });
    const last = await eventually(
      async () => (await broker.history.read({ id: "dead", queue: QUEUE })).at(-1),
      { withinMs: 20_000, describe: "the late job is settled" },
    );
    expect(last).toMatchObject({
      state: "cancelled",
      reason: `Its unique key is held by v${version}.`,
    });
    // Jobs with other keys need not wait for the look at this one's claim, and may start before it.
    const versions = ran.map((input) => input.version);
    expect(versions.toSorted((one, other) => one - other)).toEqual([version, 1_000, 1_001]);
  });

  it("after the publish leaves a job that holds its key and runs", async () => {
    const { enqueue, kill, namespace, job, broker } = await killedAt("after the publish");
    await kill();
    await eventually(async () => broker.findWaiting("dead", { queue: QUEUE }), {
      withinMs: 20_000,
      describe: "the job is there",
    });
    expect(await enqueue(2)).toMatchObject({ id: "dead", conflict: { kind: "kept" } });
    const ran: Update[] = [];
    await startNodeOnServer(server, {
      namespace,
      jobs: [job.handler(({ input }) => void ran.push(input))],
    });
    await eventually(() => ran.length > 0, { withinMs: 20_000, describe: "the job runs" });
    expect(ran).toEqual([{ doc: "a", version: 1 }]);
  });
});
