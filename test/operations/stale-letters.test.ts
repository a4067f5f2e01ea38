import { connect, fatal, type Millrace } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { pauseHeard } from "../harness/pulls.ts";
import { describeEachServer } from "../harness/servers.ts";
import { charge, QUEUE } from "./programs/jobs.ts";

const COUNT = 5;

describeEachServer("letters that others have seen to", (server) => {
  /** Letters of a paused queue that forgets ids at once: nothing but a look keeps jobs single. */
  async function scene(): Promise<{ readonly client: Millrace; another(): Promise<Millrace> }> {
    const connection = { servers: server.url, namespace: server.namespace() };
    const another = async (): Promise<Millrace> => {
      const client = await connect({ ...connection, env: {} });
      onTestFinished(() => client.close());
      return client;
    };
    const client = await another();
    await client.broker.queues.ensure(QUEUE, { dedupeWindowMs: 100 });
    await startNodeOnServer(server, {
      namespace: connection.namespace,
      jobs: [
        charge.handler(() => {
          throw fatal("the bank is down");
        }),
      ],
    });
    await client.enqueueMany(
      charge,
      Array.from({ length: COUNT }, (_, n) => ({ input: { n }, id: `c${n}` })),
    );
    await eventually(async () => (await client.dead.list()).length === COUNT, {
      withinMs: 60_000,
      describe: `${COUNT} dead letters`,
    });
    await pauseHeard(client, connection, QUEUE);
    return { client, another };
  }

  const waiting = async ({ broker }: Millrace): Promise<readonly string[]> =>
    (await broker.listWaiting(QUEUE)).map(({ envelope }) => envelope.id).toSorted();

  /** The queue has forgotten what was stored before. */
  async function forgotten({ broker }: Millrace): Promise<void> {
    const since = await broker.serverNow();
    await eventually(async () => (await broker.serverNow()) > since + 1_000, {
      withinMs: 30_000,
      describe: "a second of the server's",
    });
  }

  test("of retries that died between their two writes only the letters go", async () => {
    const { client, another } = await scene();
    const dying = await another();
    dying.broker.deadLetters.remove = () => Promise.resolve(true);
    expect(await dying.dead.retry({})).toHaveLength(COUNT);
    expect(await client.dead.list()).toHaveLength(COUNT);
    await forgotten(client);
    await expect(client.dead.edit("c0", { n: 7 })).rejects.toMatchObject({
      code: "already-retried",
    });
    const results = await client.dead.retry({});
    expect(results.filter(({ ok }) => ok)).toHaveLength(COUNT);
    expect(await client.dead.list()).toEqual([]);
    expect(await waiting(client)).toEqual(["c0", "c1", "c2", "c3", "c4"]);
  });

  test("who goes on with a list of letters retries none that is gone", async () => {
    const { client, another } = await scene();
    const [first = "", second = "", third = "", ...rest] = (await client.dead.list()).map(
      ({ id }) => id,
    );
    const late = await another();
    const { broker } = late;
    const requeue = broker.requeue.bind(broker);
    // After its first publish another sees to the next two letters.
    broker.requeue = async (...given) => {
      await requeue(...given);
      broker.requeue = requeue;
      await client.dead.discard({ id: second });
      await client.dead.retry({ id: third });
      await forgotten(client);
    };
    const codes = (await late.dead.retry({})).map((result) =>
      result.ok ? "ok" : result.error.code,
    );
    expect(codes).toEqual(["ok", "job-not-found", "job-not-found", "ok", "ok"]);
    expect(await waiting(client)).toEqual([first, third, ...rest].toSorted());
  });
});
