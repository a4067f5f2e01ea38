import { connectBroker, diagnose } from "@millrace/broker-nats";
import { MillraceError } from "@millrace/core";
import { type BatchEnded, cancel, connect, defineJob, planJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually, within } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(180_000) });

const ROOM = 10;

describeEachServer("settlements come to an end", (server) => {
  async function scene() {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    return { namespace, client };
  }
  type Scene = Awaited<ReturnType<typeof scene>>;

  const isEmpty = async ({ client }: Scene, queue: string): Promise<boolean> => {
    const { queued, running, delayed } = await client.broker.queues.snapshot(queue);
    return queued + running + delayed === 0;
  };

  /** A job in queue `here`, whose runs wait until all its places are taken by jobs that run. */
  function crowd(queue: string) {
    const runs: string[] = [];
    const all = Promise.withResolvers<void>();
    const job = defineJob<unknown, unknown, string>({ name: `t.${queue}`, queue, retry: "none" });
    const handled = job.handler(async ({ job: { id } }) => {
      runs.push(id);
      if (runs.length === ROOM) all.resolve();
      await all.promise;
      return id;
    });
    return { job, handled, runs, full: all.promise };
  }

  test("ten chains in a queue with room for ten, over a graceful stop: every job runs once", async () => {
    const made = await scene();
    const { namespace, client } = made;
    const { job, handled, runs, full } = crowd("here");
    await client.broker.queues.ensure("here", { maxJobs: ROOM });
    const first = await startNodeOnServer(server, { jobs: [handled], namespace, slots: ROOM });
    const chains = await Promise.all(
      Array.from({ length: ROOM }, (_, n) =>
        client
          .chain(job, n, { id: `c${n}` })
          .next(job)
          .next(job)
          .enqueue(),
      ),
    );
    await full;
    await first.node.stop();
    const afterStop = [...runs];
    await startNodeOnServer(server, { jobs: [handled], namespace, slots: ROOM });
    await within(Promise.all(chains.map((chain) => chain.result())), 30_000, "all chains end");
    expect(new Set(afterStop).size).toBe(afterStop.length);
    expect(runs.toSorted()).toEqual(
      chains.flatMap(({ jobs }) => jobs.map(({ id }) => id)).toSorted(),
    );
  });

  test("chains from a full queue to another and back", async () => {
    const made = await scene();
    const { namespace, client } = made;
    const [here, there] = [crowd("here"), crowd("there")];
    for (const queue of ["here", "there"])
      await client.broker.queues.ensure(queue, { maxJobs: ROOM });
    const jobs = [here.handled, there.handled];
    await startNodeOnServer(server, { jobs, namespace, slots: ROOM });
    const chain = (a: typeof here.job, b: typeof here.job, id: string) =>
      client.chain(a, null, { id }).next(b).next(a).next(b).enqueue();
    const chains = await Promise.all(
      Array.from({ length: ROOM }, (_, n) => [
        chain(here.job, there.job, `h${n}`),
        chain(there.job, here.job, `t${n}`),
      ]).flat(),
    );
    await within(Promise.all(chains.map((one) => one.result())), 45_000, "all chains end");
    expect(here.runs.length + there.runs.length).toBe(8 * ROOM);
  });

  test("a batch whose callback finds its queue full, or gone: the one waits for room, the other is a letter", async () => {
    const made = await scene();
    const { namespace, client } = made;
    const member = defineJob<number>({ name: "t.member", queue: "members", retry: "none" });
    const tell = defineJob<BatchEnded<null>>({ name: "t.tell", queue: "tell", retry: "none" });
    const lostTell = defineJob<BatchEnded<null>>({ name: "t.tell", queue: "gone", retry: "none" });
    await client.broker.queues.ensure("members");
    await client.broker.queues.ensure("tell", { maxJobs: 1 });
    await client.broker.queues.ensure("gone");
    const stands = {
      id: "none",
      total: 0,
      succeeded: 0,
      dead: 0,
      expired: 0,
      cancelled: 0,
      refused: 0,
    };
    await client.enqueue(tell, { batch: { ...stands, failed: [] }, input: null }, { id: "stands" });
    const batch = (id: string, job: typeof tell) =>
      client.batch(
        [1, 2, 3].map((n) => planJob(member, n)),
        { id, callback: { job, input: null } },
      );
    const [full, lost] = [await batch("full", tell), await batch("lost", lostTell)];
    await client.broker.queues.remove("gone");
    await startNodeOnServer(server, { jobs: [member.handler(() => {})], namespace });
    await eventually(() => isEmpty(made, "members"), {
      withinMs: 20_000,
      describe: "all members are settled",
    });
    await expect(lost.result({ timeout: "30s" })).rejects.toThrow(/could not be enqueued after it/);
    expect(await client.dead.list()).toMatchObject([
      { id: "lost:callback", queue: "gone", reason: "chain-broken" },
    ]);
    const told: unknown[] = [];
    const jobs = [tell.handler(({ input }) => void told.push(input))];
    await startNodeOnServer(server, { jobs, namespace });
    await within(full.result(), 20_000, "the callback runs");
    expect(told).toMatchObject([{ batch: { id: "none" } }, { batch: { succeeded: 3 } }]);
  });

  test("a cancel with a reason of 2 MB ends the job, with as much of it as is kept", async () => {
    const { namespace, client } = await scene();
    const job = defineJob<null>({ name: "t.job", queue: "here" });
    const handled = job.handler(() => cancel("x".repeat(2_000_000)));
    await startNodeOnServer(server, { jobs: [handled], namespace, slots: 1 });
    const enqueued = await client.enqueue(job, null);
    await expect(within(enqueued.result(), 20_000, "the job ends")).rejects.toMatchObject({
      code: "cancelled",
      message: expect.stringMatching(/x{1000}$/) as string,
    });
  });

  test("the history, the dead letters and the delayed jobs are removed under load: they are made again, and every job ends", async () => {
    const { namespace, client } = await scene();
    const { jsm } = await administrator(server);
    const job = defineJob<number, number, number>({
      name: "t.job",
      queue: "here",
      retry: { attempts: 2, backoff: "fixed", base: "2s", jitter: false },
    });
    const removed: Promise<boolean>[] = [];
    const handled = job.handler(({ input, attempt }) => {
      if (input === 20 && attempt === 1)
        removed.push(
          ...["history", "dead", "delayed"].map((stream) =>
            jsm.streams.delete(`${namespace}-${stream}`),
          ),
        );
      if (input % 10 === 5 || (input % 2 === 1 && attempt === 1)) throw new Error("as told");
      return input;
    });
    await startNodeOnServer(server, { jobs: [handled], namespace, slots: 4 });
    const jobs = Array.from({ length: 60 }, (_, n) => n);
    for (const n of jobs) await client.enqueue(job, n, { id: `j${n}` });
    await eventually(
      async () => {
        const { queued, running, delayed } = await client.broker.queues.snapshot("here");
        return queued + running + delayed === 0;
      },
      { withinMs: 30_000, describe: "every job has left its queue" },
    );
    await Promise.all(removed);
    // What was delayed or recorded before the removal is gone with it. All that was settled after
    // it is there.
    const records = await client.broker.history.recent({ queue: "here", limit: 200 });
    const late = jobs.filter((n) => n >= 40);
    for (const n of late) expect(records.map(({ id }) => id)).toContain(`j${n}`);
    expect((await client.dead.list()).map(({ id }) => id)).toEqual(
      expect.arrayContaining(["j45", "j55"]),
    );
  });

  test("what a node can't settle is named by doctor and by the node's health, and by neither once it is settled", async () => {
    const namespace = server.namespace();
    const job = defineJob<null>({ name: "t.job", queue: "here" });
    const jobs = [job.handler(() => "done")];
    const { node, broker } = await startNodeOnServer(server, { jobs, namespace, lease: "2s" });
    const settle = broker.settle.bind(broker);
    const refusing = vi
      .spyOn(broker, "settle")
      .mockImplementation((delivery, steps) =>
        steps.some((step) => step.do === "record")
          ? Promise.reject(new MillraceError("broker-unavailable", "no room"))
          : settle(delivery, steps),
      );
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    await client.enqueue(job, null);
    const named = async (): Promise<readonly string[]> =>
      (await diagnose({ servers: server.url, namespace }))
        .filter(({ check, status }) => check === "settlements here" && status === "fail")
        .map(({ message }) => message);
    await eventually(async () => (await named()).length === 1, {
      withinMs: 20_000,
      describe: "doctor names it",
    });
    expect((await named())[0]).toMatch(/1 jobs of the queue here: record: broker-unavailable/);
    expect(node.health()).toMatchObject({ live: true, ready: false });
    refusing.mockRestore();
    await eventually(() => node.health().ready, { withinMs: 20_000, describe: "it is settled" });
    await eventually(async () => (await named()).length === 0, {
      withinMs: 25_000,
      describe: "doctor names it no more",
    });
  });

  test("results near the server's limit go on in their chain, or are a letter that can be retried or edited", async () => {
    const { namespace, client } = await scene();
    const broker = await connectBroker({ servers: server.url, namespace });
    onTestFinished(() => broker.close());
    const first = defineJob<number, number, string>({ name: "t.first", queue: "here" });
    const taken: number[] = [];
    const second = defineJob<string>({ name: "t.second", queue: "here" });
    const jobs = [
      first.handler(({ input }) => "x".repeat(input)),
      second.handler(({ input }) => void taken.push(input.length)),
    ];
    await startNodeOnServer(server, { jobs, namespace });
    const max = 1_048_576;
    const sizes = [10_000, 9_000, 8_300, 8_000, 1_500, 900, 0, -1].map((below) => max - below);
    for (const size of sizes) {
      const id = `s${size}`;
      const chain = await client.chain(first, size, { id }).next(second).enqueue();
      const ended = await within(
        chain.result().then(
          () => "done",
          (error: unknown) => String((error as { code?: unknown }).code),
        ),
        15_000,
        `the chain of ${size} bytes ends`,
      );
      const [record] = await client.broker.history.read({ id, queue: "here" });
      expect(record).toMatchObject({ state: "succeeded" });
      const letters = await client.dead.list({ id: `${id}:2` });
      expect([ended === "done", letters.length]).toEqual(ended === "done" ? [true, 0] : [false, 1]);
    }
    expect(taken).toContain(max - 10_000);
    expect(taken).not.toContain(max);
    // Nothing of the result is left of the largest: a payload has to be given.
    const id = `s${max + 1}:2`;
    expect(await client.dead.retry({ id })).toMatchObject([
      { ok: false, error: { code: "invalid-envelope" } },
    ]);
    await client.dead.edit(id, "short");
    await eventually(() => taken.includes(5), { withinMs: 20_000, describe: "it has run" });
  });
});
