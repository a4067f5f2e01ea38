// A node in a process of its own. Its one argument is a `ProgramConfig` as JSON; it says over IPC
// what its jobs do.
import type { ExecutionContext } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { connectTo } from "../../reliability/programs/connect.ts";
import { patient, task, type Task } from "./jobs.ts";
import { lasting } from "../../harness/cluster/mode.ts";

interface ProgramConfig {
  readonly servers: string;
  readonly namespace: string;
  readonly name: string;
  /** Default 1 s. */
  readonly leaseMs?: number;
}

const {
  name,
  leaseMs = lasting(3_000),
  ...server
} = JSON.parse(process.argv[2] ?? "") as ProgramConfig;
const say = (message: object): void => void process.send?.(message);

interface Step {
  readonly report: string;
  readonly value: number;
  readonly done: boolean;
}

function handle({ input, signal, progress, job: { id } }: ExecutionContext<Task>): unknown {
  say({ say: "started", id });
  if (input.do === "quick") return "done";
  if (input.do === "report")
    return new Promise((resolve) =>
      process.on("message", ({ report, value, done }: Step) => {
        if (report !== id) return;
        progress(value, `step ${value}`);
        if (done) resolve("reported");
      }),
    );
  return new Promise((_resolve, reject) => {
    const keepAlive = setInterval(() => {}, 1_000);
    signal.addEventListener("abort", () => {
      const { code, message } = signal.reason as Error & { code: string };
      say({ say: "aborted", id, code, message });
      if (input.do === "ignore") return;
      clearInterval(keepAlive);
      reject(signal.reason as Error);
    });
  });
}

const node = createNode({
  name,
  broker: await connectTo(server),
  jobs: [task.handler(handle), patient.handler(handle)],
  lease: leaseMs,
  grace: "1s",
  slots: 50,
});
node.events.on("job.settled", ({ id, state }) => say({ say: "settled", id, state }));
await node.start();
console.log("ready");
