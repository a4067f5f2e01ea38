import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  connect,
  createNode,
  defineJob,
  fatal,
  type IndexedJob,
  type JobIndex,
  type JobIndexOptions,
  type Millrace,
  openJobIndex,
} from "millrace";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually, within } from "../harness/deadline.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../harness/postgres.ts";
import { describeEachServer } from "../harness/servers.ts";
import { dropIndexes } from "./drop-indexes.ts";

const LONG_MS = 60_000;

interface Order {
  readonly customer: number;
  readonly password?: string;
}

const pay = defineJob<Order>({
  name: "pay",
  queue: "billing",
  retry: { attempts: 3, base: "5ms" },
});
const send = defineJob<Order>({ name: "send", queue: "mail" });
/** Nobody serves it. */
const idle = defineJob<Order>({ name: "idle", queue: "archive" });

const missing = postgresMissing();

describeEachServer("an index of jobs", (server) => {
  describe("in a file", () => suite("file"));
  describe.skipIf(missing !== undefined)(
    `in PostgreSQL${missing === undefined ? "" : ` (skipped: ${missing})`}`,
    () => suite("postgres"),
  );

  function suite(kept: "file" | "postgres"): void {
    let postgres: TestPostgres | undefined;
    let place: Pick<JobIndexOptions, "path" | "postgres">;
    let path: string;
    beforeAll(async () => {
      if (kept === "postgres") postgres = await startPostgres();
    });
    afterAll(() => postgres?.remove());
    beforeEach(async () => {
      const dir = await mkdtemp(join(tmpdir(), "millrace-index-"));
      // First, so that it is carried out last: an index is written to until its node has stopped.
      cleanUpLater(() => rm(dir, { recursive: true }));
      path = join(dir, "deep", "jobs.db");
      place = postgres === undefined ? { path } : { postgres: postgres.url };
    });

    /** What somebody may do who wants its room. */
    async function remove(): Promise<void> {
      if (postgres === undefined)
        for (const file of [path, `${path}-wal`, `${path}-shm`]) await rm(file, { force: true });
      else await dropIndexes(postgres.url);
    }

    /** A client, and a node whose jobs of billing fail at random. */
    async function scene(): Promise<{ readonly client: Millrace; readonly namespace: string }> {
      const namespace = server.namespace();
      const node = await createNode({
        ...{ servers: server.url, namespace, env: {} },
        jobs: [
          pay.handler(({ input: { customer } }) => {
            if (customer % 5 === 0) return fatal(new TypeError(`customer ${customer} has no card`));
            if (Math.random() < 0.4) throw new RangeError("the bank is busy");
            return undefined;
          }),
          send.handler(() => "sent"),
        ],
      });
      onTestFinished(() => node.stop());
      await node.start();
      const client = await connect({ servers: server.url, namespace, env: {} });
      onTestFinished(() => client.close());
      await client.queues.ensure("archive");
      return { client, namespace };
    }

    async function indexOf(client: Millrace, namespace: string): Promise<JobIndex> {
      const index = await openJobIndex({
        ...{ broker: client.broker, mask: client.mask, namespace, ...place },
      });
      onTestFinished(() => index.close());
      await within(index.caughtUp(), LONG_MS, "the index has caught up");
      return index;
    }

    async function all(index: JobIndex, where?: string): Promise<readonly IndexedJob[]> {
      const { jobs, more } = await index.search({
        limit: 1_000,
        ...(where === undefined ? {} : { where }),
      });
      expect(more).toBe(false);
      return jobs.toSorted((a, b) => a.id.localeCompare(b.id, "en"));
    }

    /** Jobs of every kind and fate; resolves when those that can end have ended. */
    async function work(client: Millrace, part: string, count: number): Promise<void> {
      for (let n = 0; n < count; n += 1) {
        const input: Order = { customer: n, password: `secret-${n}` };
        const id = `${part}-${n}`;
        if (n % 4 === 0) await client.enqueue(pay, input, { id });
        else if (n % 4 === 1) await client.enqueue(send, input, { id, tags: ["vip"] });
        else if (n % 4 === 2) await client.enqueue(idle, input, { id });
        else await client.enqueue(send, input, { id, delay: "1h" });
      }
      await eventually(
        async () => {
          const queues = await client.queues.list();
          const busy = queues.filter(({ queue }) => queue !== "archive");
          return busy.every(({ queued, running }) => queued + running === 0);
        },
        { withinMs: LONG_MS, describe: "all that can end has ended" },
      );
      const delayed = Math.floor(count / 4);
      await eventually(async () => (await client.delayed.count()) % delayed === 0, {
        withinMs: LONG_MS,
        describe: "what is delayed waits where it should",
      });
    }

    /** What the streams say of each job that was ever enqueued. */
    async function told(client: Millrace, ids: readonly (readonly [string, string])[]) {
      const jobs = await Promise.all(
        ids.map(async ([id, queue]) => {
          const { history, name } = await client.job(id, { queue });
          const last = history.at(-1);
          return {
            ...{ id, queue, name, state: last?.state ?? "queued" },
            ...{ attempts: last?.attempts ?? 0, error: last?.error?.type },
          };
        }),
      );
      return jobs.toSorted((a, b) => a.id.localeCompare(b.id, "en"));
    }

    const idsOf = (part: string, count: number): readonly (readonly [string, string])[] =>
      Array.from({ length: count }, (_, n) => [
        `${part}-${n}`,
        ["billing", "mail", "archive", "mail"][n % 4] ?? "",
      ]);
    const shown = ({ id, queue, name, state, attempts, error }: IndexedJob) => ({
      ...{ id, queue, name, state, attempts, error: error?.type },
    });

    test("says what the streams say: after random jobs, after a restart, and when it was removed", async () => {
      const { client, namespace } = await scene();
      const index = await indexOf(client, namespace);
      await work(client, "a", 40);
      await within(index.caughtUp(), LONG_MS, "the index has caught up");
      const first = await told(client, idsOf("a", 40));
      expect((await all(index)).map(shown)).toEqual(first);
      // It heard of every job, so it knows what each was given, secrets aside.
      for (const { id, payload } of await all(index))
        expect(payload, id).toEqual({ customer: Number(id.slice(2)), password: "***" });
      expect((await all(index, "payload.customer:13")).map(({ id }) => id)).toEqual(["a-13"]);
      expect(await all(index, "secret-13")).toEqual([]);
      expect(await all(index, "tag:vip -queue:mail")).toEqual([]);
      if (kept === "file") expect((await stat(path)).mode & 0o077).toBe(0);
      await index.close();

      // While it is closed nobody hears what is enqueued.
      await work(client, "b", 40);
      const again = await indexOf(client, namespace);
      const both = await told(client, [...idsOf("a", 40), ...idsOf("b", 40)]);
      expect((await all(again)).map(shown)).toEqual(both);
      const missed = (await all(again)).filter(({ id }) => id.startsWith("b-"));
      for (const { id, state, payload } of missed) {
        const known = { customer: Number(id.slice(2)), password: "***" };
        expect(payload, `${id} ${state}`).toEqual(state === "succeeded" ? undefined : known);
      }
      expect(await again.status()).toMatchObject({ state: "following", behind: 0, jobs: 80 });
      await again.close();
      // What is asked of one that is closed is not waited for.
      await within(again.rebuild(), LONG_MS, "a rebuild after the end");
      await within(again.caughtUp(), LONG_MS, "a look after the end");

      await remove();
      const rebuilt = await indexOf(client, namespace);
      expect((await all(rebuilt)).map(shown)).toEqual(both);
      const stateOf = (state: string): Promise<readonly IndexedJob[]> =>
        all(rebuilt, `state:${state} payload.customer:*`);
      const dead = await all(rebuilt, "state:dead");
      expect(dead.length).toBeGreaterThan(0);
      expect(await stateOf("dead")).toEqual(dead);
      expect((await stateOf("queued")).length).toBe(20);

      await rebuilt.rebuild();
      await within(rebuilt.caughtUp(), LONG_MS, "the index is made again");
      expect((await all(rebuilt)).map(shown)).toEqual(both);
    });

    test("follows what happens, retries of the dead and queues that go included", async () => {
      const { client, namespace } = await scene();
      const index = await indexOf(client, namespace);
      const states = async (where: string): Promise<readonly string[]> => {
        await within(index.caughtUp(), LONG_MS, "the index has caught up");
        return (await all(index, where)).map(({ id, state }) => `${id} ${state}`);
      };
      await client.enqueue(pay, { customer: 5 }, { id: "dies" });
      await eventually(async () => (await states("id:dies"))[0] === "dies dead", {
        withinMs: LONG_MS,
        describe: "the job is dead",
      });
      await client.enqueue(idle, { customer: 1 }, { id: "waits" });
      expect(await states("id:waits")).toEqual(["waits queued"]);
      await client.queues.remove("archive");
      await eventually(async () => (await states("id:waits")).length === 0, {
        withinMs: LONG_MS,
        describe: "what waited in the removed queue is forgotten",
      });
      const [dead] = await all(index, "id:dies");
      await client.dead.retry({ id: "dies" });
      await eventually(
        async () => {
          const [again] = await all(index, "id:dies state:dead payload.customer:5");
          return again !== undefined && again.at > (dead?.at ?? 0);
        },
        { withinMs: LONG_MS, describe: "the job has died again" },
      );
    });

    test("a history that is another one is read anew", async () => {
      const one = await scene();
      await work(one.client, "a", 8);
      const index = await indexOf(one.client, "same name");
      expect(await all(index)).toHaveLength(8);
      await index.close();
      const other = await scene();
      const later = await indexOf(other.client, "same name");
      expect(await all(later)).toEqual([]);
      await later.close();
      if (kept === "postgres") return;
      await expect(
        openJobIndex({
          ...{ broker: one.client.broker, mask: one.client.mask, path: import.meta.filename },
        }),
      ).rejects.toMatchObject({ code: "index-failed" });
    });
  }
});
