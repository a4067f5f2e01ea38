import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { connect as connectClient, defineJob } from "millrace";
import { beforeEach, expect, test, vi } from "vitest";
import { plain } from "../../packages/millrace/src/cli/io.ts";
import { main } from "../../packages/millrace/src/cli/main.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeOnOwnServers } from "../broker-nats/real-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type CommandResult, millraceHere, startMillrace } from "./millrace.ts";

vi.setConfig({ testTimeout: patient(180_000) });
const JOBS = fileURLToPath(new URL("jobs.ts", import.meta.url));
const PATIENCE_MS = 60_000;

const double = defineJob<{ n: number }>({ name: "double", queue: "work" });

describeEachServer("jobs watch and top", (server) => {
  let namespace: string;
  let env: Record<string, string>;
  beforeEach(async () => {
    namespace = server.namespace();
    env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    await using client = await connectClient({ servers: server.url, namespace, env: {} });
    await client.queues.ensure("work");
  });
  const run = (...args: readonly string[]): Promise<CommandResult> => millraceHere(args, { env });

  test("what becomes of jobs is shown as it happens, filtered, masked, and as lines of JSON", async () => {
    const node = startMillrace(["run", JOBS, "--health-port", "0", "--json"], env);
    await node.line(/"healthUrl"/, PATIENCE_MS);
    // What happens while a watcher's connection is away is not shown to it.
    await server.calm();
    const watch = startMillrace(["jobs", "watch", "--queue", "work", "--count", "2"], env);
    await watch.line(/watching/, PATIENCE_MS);
    const dead = millraceHere(
      ["jobs", "watch", "--state", "dead", "--count", "1", "--for", "30s", "--json"],
      { env },
    );
    const double = startMillrace(["jobs", "watch", "--name", "double", "--json"], env);
    // Whoever is subscribed gets it; the ones that were started last may not be yet.
    await eventually(
      async () => {
        await run("enqueue", "double", '{"n":2}', "--queue", "work");
        return double.output().join("\n").includes('"doubled":4');
      },
      { withinMs: PATIENCE_MS, describe: "a job's end is watched" },
    );
    await run("enqueue", "broken", "null", "--queue", "work", "--id", "b");
    expect((await watch.exit(PATIENCE_MS)).code).toBe(0);
    expect(watch.output().join("\n")).toMatch(/succeeded +work\/\S+ +double +attempt 1/);
    expect((await dead).json()).toMatchObject({ id: "b", state: "dead", reason: "fatal" });
    expect(double.output().join("\n")).toContain('"token":"***"');
    expect(double.output().join("\n")).not.toContain('"id":"b"');
    double.signal("SIGINT");
    expect((await double.exit(PATIENCE_MS)).code).toBe(0);
    node.signal("SIGTERM");
    await node.exit(PATIENCE_MS);
  });

  test("a watch goes no faster than its reader, and Ctrl-C ends it meanwhile", async () => {
    const node = startMillrace(["run", JOBS, "--health-port", "0", "--json"], env);
    await node.line(/"healthUrl"/, PATIENCE_MS);
    await using client = await connectClient({ servers: server.url, namespace, env: {} });
    let printed = 0;
    let noted = "";
    let room = Promise.withResolvers<void>();
    const watch = main(["jobs", "watch"], {
      ...{ env: { ...process.env, ...env }, cwd: process.cwd(), paint: plain, paintErr: plain },
      out: () => void (printed += 1),
      err: (text) => void (noted += text),
      progress: () => {},
      readStdin: () => Promise.resolve(""),
      ask: () => Promise.resolve(undefined),
      // As the process's own: the reader has room, or the wait is over.
      taken: async (until) => {
        const over = until === undefined ? [] : [once(until, "abort")];
        await Promise.race([room.promise, ...over]);
      },
    });
    const soon = { withinMs: PATIENCE_MS, everyMs: 100 };
    await eventually(() => noted.includes("watching"), { ...soon, describe: "it watches" });
    const end = async () => (await client.enqueue(double, { n: 1 })).result({ timeout: "60s" });
    // A watcher that was started just now may not hear the first.
    await eventually(async () => (await end()) && printed > 0, {
      ...{ ...soon, describe: "a line is printed" },
    });
    await end();
    await end();
    expect(printed).toBe(1);
    const before = room;
    room = Promise.withResolvers();
    before.resolve();
    await eventually(() => printed === 2, { ...soon, describe: "the next line is printed" });
    process.emit("SIGINT");
    expect(await watch).toBe(0);
    expect(printed).toBe(2);
    node.signal("SIGTERM");
    await node.exit(PATIENCE_MS);
  });

  test("a watch ends after its time", async () => {
    expect(await run("jobs", "watch", "--for", "50ms")).toMatchObject({ code: 0, out: "" });
  });

  test("top: one page in a pipe, one document with --json", async () => {
    const node = startMillrace(["run", JOBS, "--health-port", "0", "--name", "n1", "--json"], env);
    await node.line(/"healthUrl"/, PATIENCE_MS);
    await run("enqueue", "slow", '{"ms":600000}', "--queue", "work");
    interface Top {
      readonly namespace: string;
      readonly queues: readonly { readonly queue: string; readonly running: number }[];
      readonly nodes: readonly { readonly name: string }[];
    }
    await eventually(
      async () => {
        const { queues, nodes } = (await run("top", "--json")).json<Top>();
        return queues[0]?.running === 1 && nodes[0]?.name === "n1";
      },
      { withinMs: PATIENCE_MS, describe: "the job and the node are shown" },
    );
    const page = (await run("top", "--once")).out;
    expect(page).toMatch(/QUEUE.*ENDED\/S/);
    expect(page).toMatch(/work +0 +1 /);
    expect(page).toMatch(/n1 +running .* [1-9]\d* MiB +\d+\.\d+\.\d+ /);
    const [listed] = (await run("nodes", "list", "--json")).json<readonly object[]>();
    expect(listed).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      engine: `Node.js ${process.versions.node}`,
      memory: { rssBytes: expect.any(Number) as number, heapBytes: expect.any(Number) as number },
    });
    expect(page).not.toContain("\u001b");
    expect(await run("top", "--every", "10ms")).toMatchObject({ code: 2 });
    await node.kill();
  });

  test("top on a terminal draws again and again on the other screen, and leaves it", async () => {
    const { done, drawn } = topOnTerminal({ ...process.env, ...env });
    await eventually(() => drawn().split(REDRAW).length > 2, {
      withinMs: PATIENCE_MS,
      describe: "it is drawn twice",
    });
    process.emit("SIGINT");
    expect(await done).toBe(0);
    expect(drawn().startsWith("\u001b[?1049h")).toBe(true);
    expect(drawn().endsWith("\u001b[?1049l")).toBe(true);
    const [, first = ""] = drawn().split(REDRAW);
    expect(first).toContain("work");
    expect(first.split("\n").length).toBe(4);
  });
});

describeOnOwnServers("top in an outage", (start) => {
  test("says that its figures are old", async () => {
    await using own = await start();
    const { done, drawn } = topOnTerminal({ ...process.env, MILLRACE_SERVERS: own.url });
    const says = (text: string): Promise<unknown> =>
      eventually(() => drawn().split(REDRAW).at(-1)?.includes(text) === true, {
        withinMs: PATIENCE_MS,
        describe: `it says ${text}`,
      });
    await says("0 nodes");
    await own.kill();
    await says("old figures, of ");
    await own.restart();
    await eventually(() => drawn().split(REDRAW).at(-1)?.includes("old figures") === false, {
      withinMs: PATIENCE_MS,
      describe: "the figures are new",
    });
    process.emit("SIGINT");
    expect(await done).toBe(0);
  });
});

const REDRAW = "\u001b[H\u001b[J";

function topOnTerminal(env: NodeJS.ProcessEnv): {
  readonly done: Promise<unknown>;
  readonly drawn: () => string;
} {
  let drawn = "";
  const done = main(["top", "--every", "1s"], {
    env,
    cwd: process.cwd(),
    out: (text) => void (drawn += text.toString()),
    err: () => {},
    progress: () => {},
    readStdin: () => Promise.resolve(""),
    ask: () => Promise.resolve(undefined),
    screen: { rows: 5 },
    paint: plain,
    paintErr: plain,
  });
  return { done, drawn: () => drawn };
}
