import { defineJob, fatal } from "millrace";

/** The job file that the tests of the command run. */

const double = defineJob<{ n: number }>({ name: "double", queue: "work" });
export default double.handler(({ input }) => ({ doubled: input.n * 2, token: "hunter2" }));

export const broken = defineJob({ name: "broken", queue: "work" }).handler(() =>
  fatal("broken beyond repair"),
);

export const leaky = defineJob<{ password: string }>({ name: "leaky", queue: "work" }).handler(
  ({ input, log }) => {
    log.info({ input }, `trying password=${input.password}`);
    return fatal(`refused: postgres://app:${input.password}@db`);
  },
);

export const slow = defineJob<{ ms: number }>({ name: "slow", queue: "work" }).handler(
  async ({ input, signal, progress }) => {
    console.log("slow has started");
    progress(0.5, "sleeping");
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, input.ms);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      });
    });
    return "slept";
  },
);

export const threaded = defineJob({
  name: "threaded",
  queue: "work",
  isolation: "thread",
}).handler(async () => {
  const { isMainThread } = await import("node:worker_threads");
  return { isMainThread };
});
