import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { untilAnswered } from "../harness/cluster/until-answered.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";
import { type Line, NAP_MS, order } from "../steps/order-job.ts";
import { endScene, killLeaders, onCluster, READY_MS } from "./killed-leaders.ts";

const PROGRAM = join(import.meta.dirname, "../steps/order-program.ts");
const ORDERS = 30;
const ENDED = "4m";
/** Whose leaders die, one after the other: records, signals, jobs that sleep and wait, jobs. */
const STREAMS = ["r3-journal", "r3-signals", "r3-delayed", "r3-queue-orders"];

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`steps on a cluster (${nameOf(target)})`, () => {
    test("each run ends as its function says, each step has one result for all who see it, and each signal is taken once, while nodes and the leaders of their streams are killed", async () => {
      if (target.state === "missing") return;
      const scene = await onCluster(target.path, PROGRAM);
      const { client, config } = scene;
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
      await killLeaders(scene, PROGRAM, {
        ...{ streams: STREAMS, generation: target.generation },
        meanwhile: async (at) => (at === 1 || at === 2 ? signalled(at) : undefined),
      });
      const outputs = new Map<string, Readonly<Record<string, unknown>>>();
      for (const handle of handles)
        outputs.set(handle.id, await untilAnswered(() => handle.result({ timeout: ENDED })));
      const lines = linesOf(config.effects);
      for (const id of ids) requireOnce(id, outputs.get(id) ?? {}, lines);
      await endScene(scene, STREAMS);
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
