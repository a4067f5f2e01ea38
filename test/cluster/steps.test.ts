import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@millrace/core";
import { launchCluster } from "@millrace/nats-server";
import { describe, expect, test } from "vitest";
import { createClient } from "../../packages/millrace/src/client/client.ts";
import { startChild, type TestChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { REPLICAS } from "../harness/cluster/mode.ts";
import { leaderOf, replicasOf } from "../harness/cluster/streams-of.ts";
import { untilAnswered } from "../harness/cluster/until-answered.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";
import { connectTo } from "../reliability/programs/connect.ts";
import { type Line, NAP_MS, order, type OrderConfig } from "../steps/order-job.ts";

const PROGRAM = join(import.meta.dirname, "../steps/order-program.ts");
const ORDERS = 30;
const READY_MS = 60_000;
const ENDED = "4m";
/** Whose leaders die, one after the other: records, signals, jobs that sleep and wait, jobs. */
const STREAMS = ["r3-journal", "r3-signals", "r3-delayed", "r3-queue-orders"];

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`steps on a cluster (${nameOf(target)})`, () => {
    test("each run ends as its function says, each step has one result for all who see it, and each signal is taken once, while nodes and the leaders of their streams are killed", async () => {
      if (target.state === "missing") return;
      const directory = mkdtempSync(join(tmpdir(), "millrace-steps-r3-"));
      cleanUpLater(() => rmSync(directory, { recursive: true, force: true }));
      const cluster = await launchCluster({ path: target.path });
      cleanUpLater(() => cluster.dispose());
      const config: OrderConfig = {
        ...{ servers: cluster.urls.join(","), namespace: "r3", replicas: REPLICAS },
        effects: join(directory, "effects"),
      };
      const broker = await connectTo(config);
      cleanUpLater(() => broker.close());
      const client = createClient(broker, systemClock);
      const start = async (): Promise<TestChild> => {
        const child = startChild(PROGRAM, { args: [JSON.stringify(config)] });
        await child.line(/^ready$/, READY_MS);
        return child;
      };
      const nodes = [await start(), await start()];
      const ids = Array.from({ length: ORDERS }, (_, n) => `o-${n}`);
      const handles = await Promise.all(
        ids.map((id) => untilAnswered(() => client.enqueue(order, null, { id }))),
      );
      const signalled = (value: number) =>
        Promise.all(
          ids.map((id) =>
            untilAnswered(() => client.signal(order, id, "go", value, { id: `${id}-${value}` })),
          ),
        );
      // The first steps make the stream of the records.
      await eventually(() => isRecorded(config.effects), {
        ...{ withinMs: READY_MS, describe: "a step is recorded" },
      });
      for (const [at, stream] of STREAMS.entries()) {
        const leader = await leaderOf(cluster.urls, stream);
        const leading = cluster.members.find(({ name }) => name === leader);
        expect(leading, `${stream} has a leader`).toBeDefined();
        // A member of 2.10 may take minutes to find its groups again, and of three copies two must
        // be there: so one member dies there.
        const victim = target.generation === "2.10" && at > 0 ? undefined : leading;
        const one = at % nodes.length;
        const signals = at === 1 || at === 2 ? signalled(at) : Promise.resolve();
        await Promise.all([victim?.kill(), nodes[one]?.kill()]);
        nodes[one] = await start();
        await victim?.restart();
        await signals;
      }
      const outputs = new Map<string, Readonly<Record<string, unknown>>>();
      for (const handle of handles)
        outputs.set(handle.id, await untilAnswered(() => handle.result({ timeout: ENDED })));
      const lines = linesOf(config.effects);
      for (const id of ids) requireOnce(id, outputs.get(id) ?? {}, lines);
      const replicas = await replicasOf(cluster.urls, config.namespace);
      for (const stream of STREAMS) expect(replicas.get(stream), stream).toBe(REPLICAS);
      for (const child of nodes) await child.kill();
    }, 420_000);
  });
}

function isRecorded(file: string): boolean {
  return existsSync(file) && linesOf(file).some(({ what }) => what === "saw");
}

function linesOf(file: string): readonly Line[] {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Line);
}

/**
 * Once means: whoever sees a step's result, in whatever process and attempt, sees the same one; a
 * handler that begins when somebody has seen it doesn't run the step's function again; and what
 * came of it is what the job returns. The function itself may have run before, without a record.
 */
function requireOnce(
  id: string,
  output: Readonly<Record<string, unknown>>,
  all: readonly Line[],
): void {
  const lines = all.filter((line) => line.order === id);
  const seen = new Map<string, unknown>();
  /** What each run of the handler found on record when it began, or later. */
  const known = new Map<string, ReadonlySet<string>>();
  for (const { what, run, step = "", value } of lines) {
    if (what === "began") known.set(run, new Set(seen.keys()));
    if (what === "ran") expect(known.get(run)?.has(step), `${id}: ${step} again`).not.toBe(true);
    if (what !== "saw") continue;
    if (seen.has(step)) expect(value, `${id}: ${step}`).toBe(seen.get(step));
    seen.set(step, value);
  }
  const charge = seen.get("charge");
  const called = all.filter(({ what, step, order: by }) => {
    return what === "ran" && step === "the called job" && by === charge;
  });
  expect(new Set(called.map(({ run }) => run)).size, `${id}: one job was called`).toBe(1);
  const price = `price ${String(charge)} ${called[0]?.run}`;
  const { napped, ship, ...rest } = output;
  expect(rest, id).toEqual({ charge, first: 1, second: 2, priced: price });
  expect(napped, `${id} has slept`).toBeGreaterThanOrEqual(NAP_MS);
  expect(ship, id).toBe(seen.get("ship"));
  expect(String(ship), id).toContain(`${String(charge)} ${price} `);
}
