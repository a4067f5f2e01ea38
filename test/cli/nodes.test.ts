import { fileURLToPath } from "node:url";
import { connect as connectClient } from "millrace";
import { beforeEach, expect, test, vi } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type CommandResult, millraceHere, startMillrace } from "./millrace.ts";
import { patient } from "../harness/cluster/mode.ts";

vi.setConfig({ testTimeout: patient(180_000) });
const JOBS = fileURLToPath(new URL("jobs.ts", import.meta.url));
const PATIENCE_MS = 60_000;
/** For an order to be obeyed. */
const WAIT = ["--wait", `${patient(20_000)}ms`];

interface NodeJson {
  readonly name: string;
  readonly state: string;
  readonly obeys: string;
  readonly queues: readonly { readonly queue: string; readonly ended: number }[];
}

describeEachServer("nodes and audit", (server) => {
  let namespace: string;
  let env: Record<string, string>;
  beforeEach(() => {
    namespace = server.namespace();
    env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
  });
  const run = (...args: readonly string[]): Promise<CommandResult> => millraceHere(args, { env });
  const json = async <T>(...args: readonly string[]): Promise<T> =>
    (await run(...args, "--json")).json<T>();
  const listed = (): Promise<readonly NodeJson[]> => json("nodes", "list");

  async function startNode(name: string) {
    const args = ["run", JOBS, "--health-port", "0", "--name", name, "--json"];
    const node = startMillrace(args, env);
    await node.line(/"healthUrl"/, PATIENCE_MS);
    await eventually(async () => (await listed()).some((one) => one.name === name), {
      withinMs: PATIENCE_MS,
      describe: `${name} is listed`,
    });
    return node;
  }

  test("a quiet node takes nothing until it is resumed, and one that is told to stop ends with 0", async () => {
    const node = await startNode("n1");
    expect(
      await json("nodes", "quiet", "n1", "--reason", "looking, token=abc123def", ...WAIT),
    ).toEqual({
      ordered: ["n1"],
      failed: [],
      late: [],
    });
    expect((await run("nodes", "list")).out).toMatch(/n1 +quiet \(.*: looking, token=\*\*\*\)/);
    for (const looks of [["nodes", "list", "--json"], ["top"], ["top", "--json"]]) {
      const { out } = await run(...looks);
      expect(out).toContain("looking, token=***");
      expect(out).not.toContain("abc123def");
    }
    await using client = await connectClient({ servers: server.url, namespace, env: {} });
    await run("enqueue", "double", '{"n":2}', "--queue", "work", "--id", "d");
    await using other = await startNode("n2").then((second) => ({
      [Symbol.asyncDispose]: async () => {
        second.signal("SIGTERM");
        await second.exit(PATIENCE_MS);
      },
    }));
    expect(other).toBeDefined();
    // The other node takes it: the quiet one has left it alone.
    await client.handle("d", "work").result({ timeout: patient(20_000) });
    const [record] = await client.broker.history.read({ id: "d" });
    expect(record?.node).toBe("n2");

    expect(await json("nodes", "resume", "n1", ...WAIT)).toMatchObject({ late: [] });
    // A node that can't say goodbye stays listed for ten minutes.
    await server.calm();
    expect(await run("nodes", "stop", "n1")).toMatchObject({ code: 2 });
    expect(await run("nodes", "stop", "n1", "--yes", ...WAIT)).toMatchObject({
      code: 0,
      out: "ordered to stop: n1\n",
    });
    expect((await node.exit(PATIENCE_MS)).code).toBe(0);
    expect((await listed()).map(({ name }) => name)).toEqual(["n2"]);
    expect(await run("nodes", "stop", "n1", "--yes", "--json")).toMatchObject({
      code: 1,
      out: expect.stringContaining("node-not-found"),
    });

    const actions = await json<{ action: string; by: string; filter: object }[]>("audit", "list");
    expect(actions.map(({ action, filter }) => ({ action, filter }))).toEqual([
      { action: "nodes stop", filter: { node: "n1" } },
      { action: "nodes resume", filter: { node: "n1" } },
      { action: "nodes quiet", filter: { node: "n1" } },
    ]);
    expect(actions[0]?.by).toMatch(/./);
  });

  test("changes of many things refuse to run in a pipe without --yes, and are on record", async () => {
    {
      await using client = await connectClient({ servers: server.url, namespace, env: {} });
      await client.queues.ensure("work");
    }
    for (const args of [
      ["queues", "purge", "work"],
      ["dead", "retry", "--all"],
      ["dead", "discard", "--all"],
      ["nodes", "stop", "somebody"],
    ])
      expect(await run(...args, "--json"), args.join(" ")).toMatchObject({
        code: 2,
        out: expect.stringMatching(/invalid-option.*--yes/),
      });
    expect(await json("audit", "list")).toEqual([]);
    expect(await run("queues", "purge", "work", "--yes")).toMatchObject({ code: 0 });
    expect(await run("dead", "retry", "--all", "--queue", "work", "--yes")).toMatchObject({
      code: 0,
    });
    expect(await json("audit", "list")).toMatchObject([
      {
        action: "dead retry",
        filter: { queue: "work" },
        outcome: { state: "done", count: 0, failed: 0 },
      },
      { action: "queues purge", filter: { queue: "work" }, outcome: { state: "done", count: 0 } },
    ]);
    expect(await json("audit", "list", "--action", "dead", "--since", "1h")).toHaveLength(1);
    expect((await run("audit", "list")).out).toMatch(/dead retry +queue=work +0 done/);
    expect(await run("nodes", "quiet")).toMatchObject({ code: 2 });
    expect(await run("nodes", "resume", "--all")).toMatchObject({ code: 1 });
  });
});
