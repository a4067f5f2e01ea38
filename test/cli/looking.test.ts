// Whoever looks makes nothing: an empty stream or bucket is in the way of a backup's restore, and a
// role that may only read is refused what makes it.
import { connect, defineJob } from "millrace";
import { createDashboard } from "millrace/dashboard";
import { expect, test, vi } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { millraceHere } from "./millrace.ts";

vi.setConfig({ testTimeout: 180_000 });

const add = defineJob<number>({ name: "add", queue: "work" });

/** None takes a change. */
const COMMANDS: readonly string[] = [
  "queues",
  "limits",
  "limits work",
  "jobs list",
  ...["queued", "running", "delayed", "blocked", "dead"].map(
    (state) => `jobs list --state ${state}`,
  ),
  "jobs get somebody",
  "jobs progress somebody",
  "jobs logs somebody",
  "errors",
  "dead list",
  "dead show somebody",
  "operations list",
  "operations get somebody",
  "cron list",
  "cron next nightly",
  "cron history nightly",
  "machines list",
  "machines get order somebody",
  "machines chart order",
  "locks list",
  "nodes list",
  "audit list",
  "audit list --since 1h",
  "top --once",
  "doctor",
];

const PATHS: readonly string[] = [
  "overview",
  "queues/work",
  "queues/work/oldest",
  "jobs",
  ...["queued", "running", "delayed", "blocked", "dead"].map((state) => `jobs?state=${state}`),
  "jobs/work/somebody",
  "plots",
  "plots?range=7d",
  "errors",
  "operations",
  "operations/somebody",
  "operations/count?target=%7B%22kind%22%3A%22dead-retry%22%2C%22filter%22%3A%7B%22queue%22%3A%22work%22%7D%7D",
  "limits",
  "schedules",
  "schedules/day",
  "machines",
  "machines/order/somebody",
  "nodes",
  "audit",
];

describeEachServer("a look", (server) => {
  /** What the server has of a namespace. */
  async function streamsOf(namespace: string): Promise<readonly string[]> {
    const { jsm } = await administrator(server);
    const names: string[] = [];
    for await (const name of jsm.streams.names()) if (name.includes(namespace)) names.push(name);
    return names.toSorted();
  }

  /** A queue with a limit and a job, as a restore may leave it that has only begun. */
  async function furnish(namespace: string): Promise<void> {
    await using client = await connect({ servers: server.url, namespace, env: {} });
    await client.queues.ensure("work");
    await client.queues.set("work", { concurrency: 2, rate: { limit: 10, per: "1s" } });
    await client.enqueue(add, 1, { id: "somebody" });
  }

  for (const [what, prepare] of [
    ["where nothing is", undefined],
    ["where a queue is and not much else", furnish],
  ] as const) {
    test(`by a command makes nothing, ${what}`, async () => {
      const namespace = server.namespace();
      const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
      await prepare?.(namespace);
      const before = await streamsOf(namespace);
      for (const command of COMMANDS) {
        const { code, err } = await millraceHere(command.split(" "), { env });
        expect([0, 1], `${command}: ${err}`).toContain(code);
        expect(await streamsOf(namespace), command).toEqual(before);
      }
    });

    test(`at the dashboard makes nothing, ${what}`, async () => {
      const namespace = server.namespace();
      await prepare?.(namespace);
      const before = await streamsOf(namespace);
      await using client = await connect({ servers: server.url, namespace, env: {} });
      await using dashboard = createDashboard({
        millrace: client,
        authorize: () => ({ name: "ada", role: "operator" }),
      });
      for (const path of PATHS) {
        const response = await dashboard(new Request(`http://127.0.0.1:8087/api/${path}`));
        expect([200, 404], `${path}: ${await response.text()}`).toContain(response.status);
        expect(await streamsOf(namespace), path).toEqual(before);
      }
    });
  }

  test("shows no secret of a reason: of a pause, and of a drain", async () => {
    const namespace = server.namespace();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    await using client = await connect({ servers: server.url, namespace, env: {} });
    await client.queues.ensure("mail");
    const run = async (...args: readonly string[]) => (await millraceHere(args, { env })).out;
    const reason = ["mail", "--reason", "rotating token=abc123def", "--json"];
    const looks = [
      await run("queues", "drain", ...reason),
      await run("queues", "pause", ...reason),
      await run("queues", "set", "mail", "--concurrency", "2", "--json"),
      await run("queues"),
      await run("queues", "--json"),
      await run("top"),
      await run("top", "--json"),
    ];
    for (const shown of looks) {
      expect(shown).toContain("rotating token=***");
      expect(shown).not.toContain("abc123def");
    }
  });

  test("takes no sample where nothing is, and whoever serves operations hears of the first", async () => {
    const namespace = server.namespace();
    await using client = await connect({ servers: server.url, namespace, env: {} });
    expect(await client.samples.take()).toBe(false);
    const serving = await client.operations.serve();
    expect(await streamsOf(namespace)).toEqual([]);
    await client.queues.ensure("work");
    await client.enqueue(add, 1, { id: "somebody" });
    await using other = await connect({ servers: server.url, namespace, env: {} });
    const { id } = await other.operations.start({ kind: "jobs-cancel", filter: { queue: "work" } });
    await eventually(async () => (await other.operations.get(id)).progress.state === "done", {
      ...{ withinMs: 30_000, describe: "the operation is carried out" },
    });
    await serving.stop();
    expect(await client.samples.take()).toBe(true);
  });
});
