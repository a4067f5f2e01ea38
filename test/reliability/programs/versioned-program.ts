// A producer and a node by the public interface alone, so that the same file runs on packages of
// another version. Its one argument is a `VersionedConfig` as JSON.
import {
  connect,
  createNode,
  defineSchedule,
  type ExecutionContext,
  fatal,
  stopOnSignals,
} from "millrace";
import { printLogger } from "./print-logger.ts";
import { type Input, JOBS, type Said, TICK, type Told, type VersionedConfig } from "./versioned.ts";

const { servers, namespace, version, slots, ticks } = JSON.parse(
  process.argv[2] ?? "{}",
) as VersionedConfig;
const options = { servers, namespace, env: {} };
const releases = new Map<string, () => void>();
/** What a node that has stopped still has to say comes after the channel is closed. */
const say = (message: Said): void => {
  if (process.connected) process.send?.(message);
};

// On a busy machine nobody leads for longer than ticks are in time: they are made up for all the
// same.
const schedule = defineSchedule({
  ...{ name: TICK, cron: "* * * * * *", missed: { all: 100 } },
  ...{ job: JOBS.step, input: {} },
});
const node = await createNode({
  ...options,
  slots,
  // None of these tests ends one: a busy machine keeps a process waiting for a second.
  leaseMs: 3_000,
  graceMs: 300,
  jobs: [
    JOBS.step.handler(step),
    JOBS.ended.handler(() => version),
    ...[JOBS.hold, JOBS.alone, JOBS.keyed, JOBS.capped].map((job) => job.handler(hold)),
    ...(version === "new" ? [JOBS.added.handler(step)] : []),
  ],
  schedules: ticks ? [schedule] : [],
  log: printLogger(version),
});
node.events.on("scheduler.leader", ({ leading }) => say({ say: "leading", leading }));
stopOnSignals(node);
await node.start();

const client = await connect(options);
process.on("message", (told: Told) => {
  if (told.tell === "release") releases.get(told.id)?.();
  else void enqueue(told);
});
console.log("ready");

await node.stopped;
await client.close();
process.disconnect?.();

/** @returns whose node it ran on */
function step({ job, attempt, input }: ExecutionContext<Input>) {
  say({ say: "started", id: job.id, attempt });
  if (input.fatalOn === version) return fatal(`fatal on ${version} nodes, as told`);
  if (attempt <= (input.fails ?? 0)) throw new Error(`attempt ${attempt} fails as told`);
  return version;
}

function hold({ job, attempt, signal }: ExecutionContext<Input>): Promise<string> {
  return new Promise((resolve, reject) => {
    releases.set(job.id, () => resolve(version));
    signal.addEventListener("abort", () => reject(signal.reason as Error));
    say({ say: "started", id: job.id, attempt });
  });
}

async function enqueue({ job, input, options: chosen }: Told & { tell: "enqueue" }): Promise<void> {
  const { id: holder } = await client.enqueue(JOBS[job], input, chosen);
  say({ say: "enqueued", id: chosen.id, holder });
}
