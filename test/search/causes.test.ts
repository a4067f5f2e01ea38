import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Cause,
  connect,
  createNode,
  defineJob,
  findCauses,
  type FoundCauses,
  openJobIndex,
} from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { millraceHere } from "../cli/millrace.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";

const PATIENCE_MS = 60_000;
const retry = { attempts: 3, base: "5ms", jitter: false } as const;
const print = defineJob<{ readonly page: number }>({ name: "print", queue: "paper", retry });
const pay = defineJob<{ readonly order: number }>({ name: "pay", queue: "billing", retry });

class OutOfPaper extends Error {
  override readonly name = "OutOfPaper";
}
class CardDeclined extends Error {
  override readonly name = "CardDeclined";
}

describeServer("causes of failures", "newest", (server) => {
  async function scene() {
    const connection = { servers: server.url, namespace: server.namespace(), env: {} };
    const node = await createNode({
      ...connection,
      nodeName: "worker-1",
      jobs: [
        print.handler(({ input: { page }, attempt }) => {
          if (attempt < 3) throw new OutOfPaper(`tray ${page} is empty, token=s3cr3t-value`);
          return "printed";
        }),
        pay.handler(({ input: { order } }) => {
          throw new CardDeclined(`order ${order} was refused`);
        }),
      ],
    });
    onTestFinished(() => node.stop());
    await node.start();
    const client = await connect(connection);
    onTestFinished(() => client.close());
    await client.enqueue(print, { page: 7 }, { id: "p-1" });
    for (const order of [1, 2]) await client.enqueue(pay, { order }, { id: `o-${order}` });
    await eventually(
      async () => {
        const ended = await client.jobs.list({ where: "state:succeeded OR state:dead" });
        return ended.length === 3;
      },
      { withinMs: PATIENCE_MS, describe: "all three have ended" },
    );
    return { client, connection };
  }

  const counts = (causes: readonly Cause[]) =>
    causes.map(({ error, letters, failed }) => [error, failed?.failures, failed?.jobs, letters]);

  test("a job that failed twice and then succeeded is a cause with two failures and no dead letter", async () => {
    const { client } = await scene();
    await using index = await openJobIndex({ broker: client.broker, mask: client.mask });
    await index.caughtUp();
    const find = (query?: Parameters<typeof findCauses>[1]): Promise<FoundCauses> =>
      findCauses({ dead: client.dead, index }, query);
    const { causes, more, lettersOnly } = await find();
    expect({ more, lettersOnly }).toEqual({ more: false, lettersOnly: false });
    expect(counts(causes)).toEqual([
      ["CardDeclined", 6, 2, 2],
      ["OutOfPaper", 2, 1, 0],
    ]);
    const [dead, retried] = causes;
    expect(retried).toMatchObject({
      ...{ queue: "paper", name: "print", reasons: [], lastId: "p-1" },
      ...{ pattern: "tray * is empty, token=***", message: "tray 7 is empty, token=***" },
      frame: expect.stringContaining("causes.test.ts") as string,
      nodes: [{ node: "worker-1", count: 2 }],
    });
    expect(dead).toMatchObject({ reasons: ["attempts-exhausted"], failed: { died: 2 } });
    // The jobs of each, whatever became of them.
    const jobsOf = async (cause: Cause | undefined): Promise<readonly string[]> => {
      const where = `fingerprint:${cause?.fingerprint ?? "none"}`;
      return (await index.search({ where })).jobs.map(({ id, state }) => `${id} ${state}`);
    };
    expect(await jobsOf(retried)).toEqual(["p-1 succeeded"]);
    expect((await jobsOf(dead)).toSorted()).toEqual(["o-1 dead", "o-2 dead"]);

    expect(counts((await find({ queue: "paper" })).causes)).toEqual([["OutOfPaper", 2, 1, 0]]);
    expect(counts((await find({ where: "error:OutOf* node:worker-1" })).causes)).toHaveLength(1);
    expect(counts((await find({ where: "age>1h" })).causes)).toEqual([]);
    // Only a letter has a payload: how often all of its cause failed is told all the same.
    expect(await find({ where: "payload.order:2" })).toMatchObject({
      ...{ lettersOnly: true, more: false },
      causes: [{ letters: 1, failed: { failures: 6 } }],
    });
    expect(await find({ limit: 1 })).toMatchObject({ more: true, causes: [{ letters: 2 }] });
    await expect(find({ where: "nofield:1" })).rejects.toMatchObject({ code: "invalid-filter" });
    await client.dead.discard({ fingerprint: dead?.fingerprint ?? "none" });
    expect(counts((await find()).causes)).toEqual([
      ["CardDeclined", 6, 2, 0],
      ["OutOfPaper", 2, 1, 0],
    ]);
    const without = await findCauses({ dead: client.dead });
    expect(without).toEqual({ causes: [], more: false, lettersOnly: true });
  });

  test("millrace errors lists causes, with an index in a file and without", async () => {
    const { connection } = await scene();
    const dir = await mkdtemp(join(tmpdir(), "millrace-index-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    const env = { MILLRACE_SERVERS: connection.servers, MILLRACE_NAMESPACE: connection.namespace };
    const run = (...args: string[]) => millraceHere(args, { env });
    const file = ["--job-index", join(dir, "jobs.db")];
    for (const more of [[], file, file]) {
      const found = await run("errors", "--json", ...more);
      expect(found.code).toBe(0);
      expect(counts(found.json<readonly Cause[]>())).toEqual([
        ["CardDeclined", 6, 2, 2],
        ["OutOfPaper", 2, 1, 0],
      ]);
    }
    const { out } = await run("errors", "--queue", "paper");
    expect(out).toMatch(
      /FAILURES +DEAD +JOBS.*\n +2 +0 +1 +print +paper .*tray 7 is empty, token=\*/,
    );
    expect(out).not.toContain("s3cr3t");
    const [cause] = (await run("errors", "--json", "--limit", "1")).json<readonly Cause[]>();
    const filter = `fingerprint:${cause?.fingerprint ?? "none"}`;
    const jobs = await run("jobs", "list", ...file, "--filter", filter, "--json");
    expect(
      jobs
        .json<readonly { id: string }[]>()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual([...["o-1", "o-2"]]);
    expect((await run("errors", "--filter", "age>1h")).out).toBe("nothing failed\n");
    expect(await run("errors", "--filter", "error:(")).toMatchObject({ code: 2 });
  });
});
