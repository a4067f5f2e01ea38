import { connect, defineJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { startMillrace, millraceHere } from "../cli/millrace.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const COUNT = 1_500;
const PATIENCE_MS = 120_000;
vi.setConfig({ testTimeout: patient(400_000) });

const charge = defineJob<{ readonly n: number }>({
  name: "billing.charge",
  queue: "billing",
  retry: "none",
});

describeEachServer("dead discard --all at a terminal", (server) => {
  async function scene() {
    const namespace = server.namespace();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    await startNodeOnServer(server, {
      namespace,
      slots: 50,
      jobs: [
        charge.handler(() => {
          throw new Error("the bank is down");
        }),
      ],
    });
    const items = Array.from({ length: COUNT }, (_, n) => ({ input: { n }, id: `c${n}` }));
    await client.enqueueMany(charge, items);
    await eventually(async () => (await client.jobs.count({ state: "dead" })) === COUNT, {
      ...{ withinMs: PATIENCE_MS, describe: "all have died" },
    });
    const begun = async () => {
      const child = startMillrace(["dead", "discard", "--all", "--yes"], env);
      const [operation] = await eventually(
        async () => {
          const found = await client.operations.list();
          return found[0] !== undefined && found[0].done > 0 ? found : undefined;
        },
        { withinMs: PATIENCE_MS, everyMs: 10, describe: "the command is at it" },
      );
      if (operation === undefined) throw new Error("there is no operation");
      return { child, id: operation.id };
    };
    return { client, env, begun };
  }

  test("Ctrl-C says how to go on; what is left is done then, and all of it can be undone", async () => {
    const { client, env, begun } = await scene();
    const { child, id } = await begun();
    child.signal("SIGINT");
    await child.line(new RegExp(`^operation ${id} running: \\d+ of ${COUNT} done`), PATIENCE_MS);
    await child.line(new RegExp(`Here: millrace operations run ${id}\\.`), PATIENCE_MS);
    expect(await child.exit(PATIENCE_MS)).toEqual({ code: 1, signal: null });
    expect((await client.operations.get(id)).done).toBeLessThan(COUNT);
    const rest = await millraceHere(["operations", "run", id], { env });
    expect(rest).toMatchObject({ code: 0, out: expect.stringContaining(`${COUNT} of ${COUNT}`) });
    expect(await client.jobs.count({ state: "dead" })).toBe(0);
    expect(await client.audit.list()).toMatchObject([
      { id, action: "dead discard", outcome: { state: "done", count: COUNT, failed: 0 } },
    ]);
    const undone = await millraceHere(["operations", "undo", id], { env });
    expect(undone).toMatchObject({ code: 0 });
    expect(await client.jobs.count({ state: "dead" })).toBe(COUNT);
  });

  test("killed, it is finished by whoever serves operations", async () => {
    const { client, begun } = await scene();
    const { child, id } = await begun();
    await child.kill();
    expect(await client.operations.get(id)).toMatchObject({ progress: { state: "running" } });
    const serving = await client.operations.serve();
    onTestFinished(() => serving.stop());
    await eventually(async () => (await client.operations.get(id)).progress.state === "done", {
      ...{ withinMs: PATIENCE_MS, describe: "another has finished it" },
    });
    expect(await client.operations.get(id)).toMatchObject({ done: COUNT, gone: 0, failed: 0 });
    expect(await client.jobs.count({ state: "dead" })).toBe(0);
  });
});
