// The jobs of the operator's night, as a job file of `millrace run`.
import { defineJob, fatal } from "millrace";

const OWN = { queue: "mail" };

export const welcome = defineJob({ name: "welcome", ...OWN }).handler(() => "sent");

/** Dies of one of two errors. */
export const invoice = defineJob<{ order: number }>({
  name: "invoice",
  ...OWN,
  retry: "none",
}).handler(({ input }) => {
  if (input.order % 3 === 0) return fatal("no such customer");
  throw new RangeError("the total is negative");
});

export const flaky = defineJob({
  name: "flaky",
  ...OWN,
  retry: { attempts: 4, backoff: "fixed", base: "100ms", jitter: false },
}).handler(({ attempt }) => {
  if (attempt < 4) throw new Error("connection reset by the mail server");
  return attempt;
});

/** Goes on until it is told to stop, and says how long it has had then. */
export const endless = defineJob({ name: "endless", ...OWN }).handler(({ signal }) => {
  process.once("SIGTERM", () => {
    const from = performance.now();
    signal.addEventListener("abort", () =>
      console.log(`endless had ${Math.round(performance.now() - from)} ms`),
    );
  });
  console.log("endless runs");
  return new Promise((_resolve, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason as Error)),
  );
});
