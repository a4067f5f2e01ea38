import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UNSETTLED } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { expect, it, vi } from "vitest";
import { startChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { connectTo } from "../reliability/programs/connect.ts";
import { effectsIn, LEASE, readEffects, signup, type StepsConfig } from "./signup.ts";

vi.setConfig({ testTimeout: patient(420_000) });

/**
 * Where the node dies, and how often each step's function has run when the job is over: twice only
 * where it died between the effect and the record.
 */
const POINTS: Readonly<Record<string, { readonly create: number; readonly mail: number }>> = {
  "before the record of create": { create: 2, mail: 1 },
  "after the record of create": { create: 1, mail: 1 },
  "before the record of settle": { create: 1, mail: 1 },
  "after the record of settle": { create: 1, mail: 1 },
  "after the requeue": { create: 1, mail: 1 },
  "before the record of mail": { create: 1, mail: 2 },
  "after the record of mail": { create: 1, mail: 1 },
  "before the steps are forgotten": { create: 1, mail: 1 },
  "after the steps are forgotten": { create: 1, mail: 1 },
};

describeEachServer("a node with steps, killed with SIGKILL", (server) => {
  it("leaves each recorded step done, and the job to another node that ends it", async () => {
    await Promise.all(
      Object.entries(POINTS).map(async ([point, times]) => {
        const { effects, output } = await killAt(server, point);
        const counts = countsOf(effects);
        expect({ point, ...counts }).toEqual({ point, ...times });
        expect(new Set(effects).size, `${point}: one key a step`).toBe(2);
        const { created, mailed } = output as {
          created: { at: number; pid: number };
          mailed: string;
        };
        // What the second step made of the first one's result is what the job has as that result.
        expect(mailed, point).toBe(`mailed for ${created.pid} ${created.at}`);
      }),
    );
  });
});

async function killAt(server: TestServer, dieAt: string) {
  const directory = mkdtempSync(join(tmpdir(), "millrace-steps-"));
  cleanUpLater(() => rmSync(directory, { recursive: true, force: true }));
  const config: StepsConfig = {
    servers: server.url,
    namespace: server.namespace(),
    queue: "signups",
    effects: join(directory, "effects"),
    dieAt,
  };
  const broker = await connectTo(config);
  cleanUpLater(() => broker.close());
  await broker.queues.ensure(config.queue);
  const dying = startChild(join(import.meta.dirname, "steps-program.ts"), {
    args: [JSON.stringify(config)],
  });
  await dying.line(/^ready$/, 120_000);
  const createdAt = Date.now();
  const job = { ...UNSETTLED, id: "ada", name: "signup", queue: config.queue, payload: null };
  const [enqueued] = await broker.enqueue([{ ...job, createdAt, headers: {} }]);
  expect(enqueued).toMatchObject({ ok: true });
  expect(await dying.exit(120_000)).toMatchObject({ signal: "SIGKILL" });

  const node = createNode({
    name: "heir",
    broker,
    jobs: [signup(config.queue, effectsIn(config.effects))],
    lease: LEASE,
  });
  await node.start();
  cleanUpLater(() => node.stop());
  const end = await eventually(
    async () => {
      const ends = await broker.history.read({ id: "ada", queue: config.queue });
      return ends.find(({ state }) => state === "succeeded");
    },
    { withinMs: 120_000, describe: `the job ends after a death ${dieAt}` },
  );
  await eventually(async () => (await broker.queues.snapshot(config.queue)).running === 0, {
    withinMs: 120_000,
    describe: "its message is acked",
  });
  const run = { id: "ada", queue: config.queue, createdAt };
  expect(await broker.journal.read(run), `${dieAt}: nothing is left`).toEqual([]);
  return { effects: readEffects(config.effects), output: end.output };
}

function countsOf(effects: readonly string[]): { create: number; mail: number } {
  const of = (name: string): number => effects.filter((line) => line.startsWith(name)).length;
  return { create: of("create "), mail: of("mail ") };
}
