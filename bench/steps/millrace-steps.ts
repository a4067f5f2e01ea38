import { connect, createNode, defineJob } from "millrace";
import { AT_ONCE, resultOf, type StepContender, together } from "./contender.ts";

/** Jobs with steps on one node, with all that a job is: enqueued, taken, recorded, settled. */
export async function millraceSteps(servers: string): Promise<StepContender> {
  const connection = { servers, namespace: "bench", env: {} };
  const began = new Map<number, number[]>();
  const job = defineJob<{ run: number; steps: number }>({
    ...{ name: "bench.steps", queue: "steps", steps: true },
  });
  const handler = job.handler(async ({ input: { run, steps }, step }) => {
    const times = began.get(run);
    for (let n = 0; n < steps; n += 1)
      await step.run("step", () => {
        times?.push(performance.now());
        return resultOf(n);
      });
  });
  const node = await createNode({ ...connection, jobs: [handler], slots: AT_ONCE });
  await node.start();
  const client = await connect(connection);
  let runs = 0;
  const once = async (run: number, steps: number): Promise<void> => {
    const handle = await client.enqueue(job, { run, steps });
    await handle.result({ timeout: "5m" });
  };
  return {
    name: "Millrace",
    run: (jobs, steps) => together(jobs, () => once((runs += 1), steps)),
    beganAt: async (steps) => {
      const run = (runs += 1);
      const times: number[] = [];
      began.set(run, times);
      await once(run, steps);
      began.delete(run);
      return times;
    },
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await node.stop();
    },
  };
}
