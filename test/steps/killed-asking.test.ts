import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UNSETTLED, writeSignal } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { expect, it, vi } from "vitest";
import { startChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { connectTo } from "../reliability/programs/connect.ts";
import { asking, type AskingConfig } from "./asking.ts";
import { LEASE } from "./signup.ts";

vi.setConfig({ testTimeout: patient(420_000) });

const POINTS = [
  "before the record of go",
  "after the record of go",
  "before the wake",
  "after the wake",
  "before the record of price",
  "after the record of price",
  "before the record of the child's end",
  "after the record of the child's end",
  "before the signals are forgotten",
];

describeEachServer("a node whose job waits and calls, killed with SIGKILL", (server) => {
  it("leaves the job to another node, which ends it with its one signal and one child", async () => {
    await Promise.all(
      POINTS.map(async (point) => {
        const { output, children } = await killAt(server, point);
        expect({ point, output }).toEqual({ point, output: { amount: 14, price: 42 } });
        expect(new Set(children).size, `${point}: one job was called`).toBe(1);
      }),
    );
  });
});

async function killAt(server: TestServer, dieAt: string) {
  const directory = mkdtempSync(join(tmpdir(), "millrace-asking-"));
  cleanUpLater(() => rmSync(directory, { recursive: true, force: true }));
  const config: AskingConfig = {
    servers: server.url,
    namespace: server.namespace(),
    queue: "asking",
    effects: join(directory, "effects"),
    dieAt,
  };
  const broker = await connectTo(config);
  cleanUpLater(() => broker.close());
  await broker.queues.ensure(config.queue);
  const dying = startChild(join(import.meta.dirname, "asking-program.ts"), {
    args: [JSON.stringify(config)],
  });
  await dying.line(/^ready$/, 120_000);
  const job = { id: "ada", queue: config.queue };
  const createdAt = Date.now();
  const envelope = { ...UNSETTLED, ...job, name: "ask", payload: null, createdAt, headers: {} };
  expect(await broker.enqueue([envelope])).toMatchObject([{ ok: true }]);
  // Sent twice, as by somebody who has had no answer.
  for (let times = 0; times < 2; times += 1)
    await broker.signals.send({ ...job, name: "go" }, writeSignal(14, "click-1"));
  expect(await dying.exit(120_000)).toMatchObject({ signal: "SIGKILL" });

  const node = createNode({ name: "heir", broker, jobs: asking(config), lease: LEASE });
  await node.start();
  cleanUpLater(() => node.stop());
  let ends: readonly unknown[] = [];
  const end = await eventually(
    async () => {
      const records = await broker.history.read(job);
      ends = records.map(({ state, reason, error }) => ({ state, reason, error }));
      return records.find(({ state }) => state === "succeeded");
    },
    {
      withinMs: 120_000,
      describe: () => `the job ends after a death ${dieAt}: ${JSON.stringify(ends)}`,
    },
  );
  await eventually(async () => (await broker.queues.snapshot(config.queue)).running === 0, {
    withinMs: 120_000,
    describe: "its message is acked",
  });
  expect(await broker.journal.read({ ...job, createdAt }), `${dieAt}: no step`).toEqual([]);
  const children = readFileSync(config.effects, "utf8").trim().split("\n");
  return { output: end.output, children };
}
