// A job in a worker thread: one that heeds its signal, and one that is too busy to hear it.
import { defineJob } from "millrace";
import { QUEUE, type Task } from "./jobs.ts";

export const threaded = defineJob<Task>({
  name: "cancel.threaded",
  queue: QUEUE,
  isolation: "thread",
  module: import.meta.url,
  grace: "300ms",
  timeout: "10m",
  retry: "none",
}).handler(({ input, signal, log }) => {
  log.info({}, "the thread is at work");
  if (input.do === "spin") for (;;);
  return new Promise((_resolve, reject) => {
    const keepAlive = setInterval(() => {}, 1_000);
    signal.addEventListener("abort", () => {
      clearInterval(keepAlive);
      reject(signal.reason as Error);
    });
  });
});

/** Reports from its thread, and what is no progress as well. */
export const reporting = defineJob({
  name: "cancel.reporting",
  queue: QUEUE,
  isolation: "thread",
  module: import.meta.url,
  retry: "none",
}).handler(({ progress }) => {
  progress(0.5, "half-way");
  try {
    progress(-1);
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return "accepted";
});
