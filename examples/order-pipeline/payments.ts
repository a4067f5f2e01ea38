import { setTimeout } from "node:timers/promises";
import { SpanStatusCode, trace } from "@opentelemetry/api";
import { fatal } from "millrace";
import { charge, ship } from "./jobs.ts";

const tracer = trace.getTracer("payments");

/** One node runs this file: `millrace run payments.ts`. */
export default charge.handler(async ({ input: { order, item, card }, attempt, enqueue }) => {
  if (card === "stolen") throw fatal("the bank keeps the card");
  await askBank(attempt);
  // With an id of its own: an attempt that is made again ships nothing twice.
  await enqueue(ship, { order, item }, { id: `ship-${order}`, delay: "500ms" });
  return "paid";
});

/** A span of the handler's own: it hangs under the attempt's without being told. */
function askBank(attempt: number): Promise<void> {
  return tracer.startActiveSpan("ask the bank", async (span) => {
    try {
      await setTimeout(20);
      if (attempt === 1) throw new Error("the bank is busy");
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}
