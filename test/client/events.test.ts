import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { connect, createNode, defineJob, fatal, type JobEvent, type Millrace } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { type TestChild, startChild } from "../harness/child.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually, within } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const QUEUE = "orders";
const PATIENCE_MS = 60_000;
const PROGRAM = join(import.meta.dirname, "programs/events-program.ts");
type Task = { readonly do: "succeed" | "die" | "retry" };
const order = defineJob<Task, Task, string>({
  name: "order",
  queue: QUEUE,
  retry: { attempts: 2, base: 10 },
});

const jobs = [
  order.handler(({ input, attempt }) => {
    if (input.do === "die") throw fatal("never");
    if (input.do === "retry" && attempt === 1) throw new Error("once more");
    return "done";
  }),
];

interface Line {
  readonly position: number;
  readonly id: string;
  readonly state: string;
}

/** What a consumer has handled so far. */
function linesOf(child: TestChild): readonly Line[] {
  return child.output().flatMap((line) => {
    const [, position, id = "", state = ""] = /^event (\d+) (\S+) (\S+)$/.exec(line) ?? [];
    return position === undefined ? [] : [{ position: Number(position), id, state }];
  });
}

describeEachServer("events", (server) => {
  async function scene(): Promise<{ client: Millrace; namespace: string }> {
    const namespace = server.namespace();
    await startNodeOnServer(server, { namespace, jobs });
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    return { client, namespace };
  }

  async function enqueue(
    client: Millrace,
    from: number,
    count: number,
  ): Promise<readonly string[]> {
    const acts = ["succeed", "die", "retry"] as const;
    const results = await client.enqueueMany(
      order,
      Array.from({ length: count }, (_, n) => ({
        id: `j${from + n}`,
        input: { do: acts[(from + n) % 3] ?? "succeed" },
      })),
    );
    expect(results.filter(({ ok }) => !ok)).toEqual([]);
    return results.map(({ id = "" }) => id);
  }

  const ends = (lines: readonly Line[]): readonly string[] =>
    lines.flatMap(({ id, state }) => (state === "requeued" ? [] : [id]));

  test(
    "a consumer that is killed and goes on behind its last position misses none and gets none twice",
    async () => {
      const { client, namespace } = await scene();
      const consumer = (after: number): TestChild =>
        startChild(PROGRAM, {
          args: [JSON.stringify({ servers: server.url, namespace, queue: QUEUE, after })],
        });
      const first = consumer(0);
      const ids = [...(await enqueue(client, 0, 120))];
      await eventually(() => linesOf(first).length >= 50, {
        withinMs: PATIENCE_MS,
        describe: "the consumer handles events",
      });
      await first.kill();
      const handled = [...linesOf(first)];
      // While nobody reads: more than is read at once.
      ids.push(...(await enqueue(client, 1_000, 600)));
      const second = consumer(handled.at(-1)?.position ?? 0);
      await eventually(() => ends(handled).length + ends(linesOf(second)).length >= ids.length, {
        withinMs: PATIENCE_MS,
        describe: "every end is handled",
      });
      handled.push(...linesOf(second));
      expect(ends(handled).toSorted()).toEqual(ids.toSorted());
      const places = handled.map(({ position }) => position);
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      expect(new Set(places).size).toBe(places.length);
      const retried = new Set(
        handled.flatMap(({ id, state }) => (state === "requeued" ? [id] : [])),
      );
      expect(retried.size).toBe(ids.filter((id) => Number(id.slice(1)) % 3 === 2).length);
    },
    patient(180_000),
  );

  test("a reader goes on over a restart of the server, and hears what was cancelled", async () => {
    const { client } = await scene();
    const seen: JobEvent[] = [];
    const stop = new AbortController();
    const reading = (async () => {
      for await (const event of client.events({ after: 0, signal: stop.signal })) seen.push(event);
    })();
    const has = (id: string, state: string): Promise<unknown> =>
      eventually(() => seen.some((event) => event.id === id && event.state === state), {
        withinMs: PATIENCE_MS,
        describe: `the event of ${id} (${state}) is read`,
      });
    await enqueue(client, 0, 3);
    await has("j0", "succeeded");
    await has("j1", "dead");
    await has("j2", "requeued");
    await server.kill();
    await server.restart();
    const later = await client.enqueue(order, { do: "succeed" }, { id: "later", delay: "1h" });
    await later.cancel("not wanted");
    await has("later", "cancelled");
    expect(seen.find(({ id, state }) => id === "later" && state === "cancelled")).toMatchObject({
      name: "order",
      reason: "not wanted",
      storedAt: expect.any(Number) as number,
    });
    stop.abort();
    await within(reading, PATIENCE_MS, "the loop ends at its signal");
  });
});

/** The user of the page, in an account of its own making, beside one that may do everything. */
function readerConfig(): string {
  const page = readFileSync(resolve(import.meta.dirname, "../../docs/permissions.md"), "utf8");
  const [, user = ""] = /^```nats\n(\{\n {2}user: reader[^]*?^\})\n```/m.exec(page) ?? [];
  expect(user, "docs/permissions.md shows the user `reader`").toContain("$READER_PASSWORD");
  const reader = user.replace("$READER_PASSWORD", "reader");
  return `authorization { users: [ { user: all, password: all }, ${reader} ] }`;
}

describeEachServer(
  "events with the rights of docs/permissions.md",
  (server) => {
    test("are read by a user that may do nothing else", async () => {
      const as = (user: string) => ({ servers: server.url, user, password: user, env: {} });
      const all = await connect(as("all"));
      onTestFinished(() => all.close());
      await all.queues.ensure(QUEUE);
      const node = await createNode({ ...as("all"), jobs });
      await node.start();
      onTestFinished(() => node.stop());
      const reader = await connect(as("reader"));
      onTestFinished(() => reader.close());
      const ids = await enqueueAll(all);
      const seen: string[] = [];
      const reading = (async () => {
        for await (const { id } of reader.events({ after: 0, state: ["succeeded", "dead"] }))
          if (seen.push(id) === ids.length) return;
      })();
      await within(reading, PATIENCE_MS, "the reader gets every end");
      expect(seen.toSorted()).toEqual(ids.toSorted());
      await expect(reader.enqueue(order, { do: "succeed" })).rejects.toMatchObject({
        code: "permission-denied",
      });
    });

    async function enqueueAll(client: Millrace): Promise<readonly string[]> {
      // More than is asked of the leader one by one: batches need rights of their own.
      const many = Array.from({ length: 200 }, (_, n) => ({
        id: `j${n}`,
        input: { do: "succeed" } as const,
      }));
      const results = await client.enqueueMany(order, many);
      return results.map(({ id = "" }) => id);
    }
  },
  { config: readerConfig(), connectWith: { user: "all", pass: "all" } },
);
