import { join } from "node:path";
import {
  connect,
  createNode,
  defineJob,
  type JobIndex,
  type JobIndexOptions,
  type Millrace,
  openJobIndex,
} from "millrace";
import { createMask } from "millrace/telemetry";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startChild, type TestChild } from "../harness/child.ts";
import { eventually, within } from "../harness/deadline.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../harness/postgres.ts";
import { describeServer } from "../harness/servers.ts";
import { millraceHere } from "../cli/millrace.ts";
import { indexSchemas, inPostgres } from "./drop-indexes.ts";

const LONG_MS = 90_000;
const missing = postgresMissing();
const fail = defineJob<{ readonly n: number; readonly text?: string }>({
  ...{ name: "fail", queue: "mail", retry: { attempts: 1 } },
});

interface Told {
  readonly jobs: number;
  readonly failures: number;
}

const isTold = (message: unknown): message is Told =>
  typeof message === "object" && message !== null && "failures" in message;

describeServer("an index of jobs in PostgreSQL", "newest", (server) => {
  describe.skipIf(missing !== undefined)(missing ?? "under faults", () => {
    let postgres: TestPostgres;
    beforeAll(async () => {
      postgres = await startPostgres();
    });
    afterAll(() => postgres?.remove());

    /** A fleet in which every job dies. */
    async function fleet(): Promise<{
      readonly client: Millrace;
      readonly namespace: string;
      readonly die: (count: number) => Promise<void>;
    }> {
      const namespace = server.namespace();
      const node = await createNode({
        ...{ servers: server.url, namespace, env: {} },
        jobs: [
          fail.handler(({ input: { text = "no" } }) => {
            throw new Error(`${text} \ud83d`);
          }),
        ],
      });
      onTestFinished(() => node.stop());
      await node.start();
      const client = await connect({ servers: server.url, namespace, env: {} });
      onTestFinished(() => client.close());
      let died = 0;
      const die = async (count: number): Promise<void> => {
        for (let n = 0; n < count; n += 1) await client.enqueue(fail, { n: died + n });
        died += count;
        await eventually(async () => (await client.dead.list({ limit: 1_000 })).length === died, {
          ...{ withinMs: LONG_MS, describe: `${died} jobs are dead` },
        });
      };
      return { client, namespace, die };
    }

    async function open(
      client: Millrace,
      namespace: string,
      more: Partial<JobIndexOptions> = {},
    ): Promise<JobIndex> {
      const { broker, mask } = client;
      const index = await openJobIndex({
        ...{ broker, mask, namespace, postgres: postgres.url },
        ...more,
      });
      onTestFinished(() => index.close());
      return index;
    }

    async function told(index: JobIndex): Promise<Told> {
      await within(index.caughtUp(), LONG_MS, "the index has caught up");
      const failures = await index.failures();
      const { jobs } = await index.status();
      return { jobs, failures: failures.reduce((sum, one) => sum + one.failures, 0) };
    }

    function program(namespace: string): TestChild & { readonly tell: () => Promise<Told> } {
      const child = startChild(join(import.meta.dirname, "index-program.ts"), {
        args: [server.url, namespace, postgres.url],
      });
      return Object.assign(child, {
        tell: () => {
          child.send({ tell: true });
          return child.message(isTold, LONG_MS);
        },
      });
    }

    test("whose keeper is killed is kept by another process, which counts nothing twice", async () => {
      const { client, namespace, die } = await fleet();
      const keeper = program(namespace);
      await die(5);
      expect(await keeper.tell()).toEqual({ jobs: 5, failures: 5 });
      const reader = await open(client, namespace);
      expect(await told(reader)).toEqual({ jobs: 5, failures: 5 });
      await keeper.kill();
      await die(4);
      expect(await told(reader)).toEqual({ jobs: 9, failures: 9 });
      expect(await indexSchemas(postgres.url)).not.toEqual([]);
    });

    test("whose keeper is frozen goes to another process; when it thaws it writes nothing of its own", async () => {
      const { client, namespace, die } = await fleet();
      const keeper = program(namespace);
      await die(3);
      expect(await keeper.tell()).toEqual({ jobs: 3, failures: 3 });
      await keeper.freeze();
      await die(3);
      const next = await open(client, namespace);
      expect(await told(next)).toEqual({ jobs: 6, failures: 6 });
      await die(2);
      keeper.signal("SIGCONT");
      expect(await keeper.tell()).toEqual({ jobs: 8, failures: 8 });
      expect(await told(next)).toEqual({ jobs: 8, failures: 8 });
    });

    test("whose database is killed under it is as it was when that comes back, and reads on", async () => {
      const { client, namespace, die } = await fleet();
      const index = await open(client, namespace);
      await die(3);
      expect(await told(index)).toEqual({ jobs: 3, failures: 3 });
      await postgres.kill();
      await die(3);
      await expect(index.search()).rejects.toMatchObject({ code: "index-failed" });
      await postgres.start();
      expect(await told(index)).toEqual({ jobs: 6, failures: 6 });
      expect(await index.status()).toMatchObject({ state: "following", behind: 0 });
    });

    test("whose database is away when it is opened says so, and follows once it is there", async () => {
      const { client, namespace, die } = await fleet();
      await die(2);
      await postgres.kill();
      const index = await open(client, namespace);
      await expect(index.search()).rejects.toMatchObject({ code: "index-failed" });
      await postgres.start();
      expect(await told(index)).toEqual({ jobs: 2, failures: 2 });
    });

    test("whose database answers nothing says so within its deadline, and goes on after", async () => {
      const { client, namespace, die } = await fleet();
      const index = await open(client, namespace);
      await die(2);
      await told(index);
      postgres.freeze();
      try {
        await expect(
          within(index.search({ where: "no" }), LONG_MS, "a search ends"),
        ).rejects.toMatchObject({ code: "index-failed" });
      } finally {
        postgres.thaw();
      }
      await die(1);
      expect(await told(index)).toEqual({ jobs: 3, failures: 3 });
    });

    test("lies beside one with other secrets to hide, which goes when nobody has kept it for an hour", async () => {
      const { client, namespace, die } = await fleet();
      const before = await indexSchemas(postgres.url);
      const other = await fleet();
      const others = await open(other.client, other.namespace);
      await told(others);
      const old = await open(client, namespace);
      await die(2);
      await told(old);
      const strict = await connect({
        ...{ servers: server.url, namespace, env: {}, maskKeys: ["n"] },
      });
      onTestFinished(() => strict.close());
      const strictly = await open(strict, namespace);
      expect(await told(strictly)).toEqual({ jobs: 2, failures: 2 });
      expect((await strictly.search({ where: "payload.n:1" })).jobs).toEqual([]);
      expect((await old.search({ where: "payload.n:1" })).jobs).toHaveLength(1);
      const made = (await indexSchemas(postgres.url)).filter((one) => !before.includes(one));
      expect(made).toHaveLength(3);
      await Promise.all([old, others, strictly].map((index) => index.close()));
      for (const schema of made)
        await inPostgres(
          postgres.url,
          `update ${schema}.state set kept_until = clock_timestamp() - interval '2 hours'`,
        );
      // Those of another fleet stay, however long nobody looks at them.
      const again = await open(strict, namespace);
      await told(again);
      await eventually(
        async () => (await indexSchemas(postgres.url)).length === before.length + 2,
        {
          ...{ withinMs: LONG_MS, describe: "the index with fewer secrets is gone" },
        },
      );
      expect(await told(await open(other.client, other.namespace))).toEqual({
        jobs: 0,
        failures: 0,
      });
    });

    test("keeps texts that PostgreSQL does not: they are found, and nothing stands still", async () => {
      const { client, namespace } = await fleet();
      const index = await open(client, namespace);
      await client.enqueue(fail, { n: 1, text: "zero \0 and half" }, { tags: ["a\0b"] });
      await eventually(async () => (await client.dead.list({ limit: 1_000 })).length === 1, {
        ...{ withinMs: LONG_MS, describe: "the job is dead" },
      });
      expect(await told(index)).toEqual({ jobs: 1, failures: 1 });
      const { jobs } = await index.search({ where: "message~zero payload.text~half" });
      expect(jobs).toMatchObject([
        { error: { message: expect.stringContaining("zero") as string } },
      ]);
      expect((await index.search({ where: "payload.text~\0" })).jobs).toHaveLength(1);
      await index.complete("tag:");
    });

    test("is refused to a user who may make no schema, and says what to do", async () => {
      await inPostgres(postgres.url, "drop role if exists poor; create role poor login");
      const { client, namespace } = await fleet();
      await expect(
        open(client, namespace, {
          postgres: postgres.url.replace("//millrace@", "//poor:s3cr3t-word@"),
        }),
      ).rejects.toMatchObject({
        code: "index-failed",
        message: expect.stringMatching(/permission denied.*grant create on database/) as string,
      });
    });

    test("is what the command searches, whose output has no password", async () => {
      const { namespace, die } = await fleet();
      await die(3);
      const env = {
        MILLRACE_SERVERS: server.url,
        MILLRACE_NAMESPACE: namespace,
        MILLRACE_JOB_INDEX_POSTGRES: postgres.url,
      };
      const found = await millraceHere(
        ["jobs", "list", "--filter", "state:dead payload.n>0", "--json"],
        { env },
      );
      expect(found).toMatchObject({ code: 0, err: "" });
      expect(found.json<unknown[]>()).toHaveLength(2);
      const causes = await millraceHere(["errors", "--json"], { env });
      expect(causes.json<unknown[]>()).toMatchObject([{ failed: { failures: 3, jobs: 3 } }]);
      const both = await millraceHere(["jobs", "list", "--job-index", "x.db"], { env });
      expect(both.code).toBe(2);
      expect(both.err).toContain("set one of them");
      const refused = await millraceHere(["errors"], {
        env: {
          ...env,
          MILLRACE_JOB_INDEX_POSTGRES: postgres.url.replace(
            "//millrace@",
            "//nobody-here:s3cr3t-word@",
          ),
        },
      });
      expect(refused.code).not.toBe(0);
      expect(refused.err).toContain("nobody-here");
      expect(refused.err + refused.out).not.toContain("s3cr3t-word");
    });

    test("and a file are two places: both at once are refused", async () => {
      const { client, namespace } = await fleet();
      await expect(open(client, namespace, { path: "jobs.db" })).rejects.toMatchObject({
        code: "invalid-option",
      });
      await expect(
        open(client, namespace, { postgres: "", mask: createMask() }),
      ).rejects.toMatchObject({ code: "invalid-option" });
    });
  });
});
