import { replicaCount, whole } from "../../config/field-kinds.ts";
import type { BenchResult, Spread } from "./measure.ts";
import { command } from "../command.ts";
import { interruptible } from "../serving/interrupt.ts";
import type { Paint } from "../io.ts";
import { facts } from "../show/table.ts";

export const bench = command({
  name: "bench",
  summary:
    "Measure your server in a few seconds, in a namespace of its own that is removed afterwards",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {
    jobs: { kind: whole(100, 1_000_000), about: "Jobs to enqueue and run; default 10000" },
    payload: { kind: whole(0, 500_000), about: "Bytes of each job's payload; default 100" },
    slots: { kind: whole(1, 10_000), about: "Slots of the one node; default 100" },
    replicas: { kind: replicaCount, about: "Replicas of the streams; default 1" },
  },
  fields: ["connection"],
  examples: [
    ["millrace bench --server nats://nats:4222", "What one producer and one node get out of it"],
  ],
  async run({ flags: { jobs = 10_000, payload = 100, slots = 100, replicas = 1 }, config, io }) {
    const { measure } = await import("./measure.ts");
    const result = await interruptible((signal) =>
      measure(config, {
        ...{ jobs, payloadBytes: payload, slots, replicas, signal },
        onStep: (what) => io.progress(what),
      }),
    ).finally(() => io.progress(""));
    return { json: result, text: (paint) => page(result, paint) };
  },
});

/** Pure. */
export function page(result: BenchResult, paint: Paint): string {
  const { server, jobs, payloadBytes, slots, replicas } = result;
  return facts(
    [
      ["server", `${server}, ${replicas} ${replicas === 1 ? "replica" : "replicas"}`],
      ["jobs", `${jobs} of ${payloadBytes} bytes; one producer, one node with ${slots} slots`],
      ["round trip", shown(result.pingMs)],
      ["enqueue", shown(result.enqueueMs)],
      ["enqueue many", `${result.enqueuedPerSecond} jobs/s`],
      ["work", `${result.workedPerSecond} jobs/s`],
      ["pickup", shown(result.pickupMs)],
    ],
    paint,
  );
}

function shown({ p50, p99, max }: Spread): string {
  return `${p50} ms at the median, ${p99} at p99, ${max} at most`;
}
