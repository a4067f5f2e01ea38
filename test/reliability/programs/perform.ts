import type { ExecutionContext } from "@millrace/core";
import { deliveryOf, type Said, type Work } from "./work.ts";

export interface Hands {
  /** Resolves when the test releases this job. @throws what the signal says, where there is one */
  readonly released: (id: string, signal: AbortSignal | undefined) => Promise<void>;
  readonly say: (message: Said) => void;
}

/**
 * Does what a payload says, up to the effect.
 * @throws where the payload says so, and what a heeded signal says
 */
export async function perform(context: ExecutionContext<Work>, hands: Hands): Promise<void> {
  const work = context.input;
  if ("deliveries" in work && deliveryOf(context.token) > work.deliveries) return;
  switch (work.do) {
    case "work":
      return sleep(
        (isLater(context) ? work.laterMs : undefined) ?? work.ms ?? 0,
        work.heed === true ? context.signal : undefined,
      );
    case "fail":
      if (context.attempt <= work.times)
        throw new Error(`failing as told, attempt ${context.attempt}`);
      return;
    case "hold":
      return hands.released(context.job.id, work.heed === true ? context.signal : undefined);
    case "stall":
      if (work.released === true) await hands.released(context.job.id, undefined);
      hands.say({ say: "stalls", id: context.job.id });
      for (const until = performance.now() + work.ms; performance.now() < until;);
      return;
    case "exit":
      process.exit(3);
      break;
    case "out-of-memory":
      exhaustMemory();
      return;
    case "uncaught":
      setImmediate(() => {
        throw new Error("thrown where nobody catches it");
      });
      return sleep(60_000, undefined);
  }
}

/** Handed back by its first holder, or left behind by one that could not hand it back. */
function isLater({ job, token }: ExecutionContext<Work>): boolean {
  return job.generation > 0 || deliveryOf(token) > 1;
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });
}

function exhaustMemory(): void {
  const kept: number[][] = [];
  for (;;) kept.push(Array.from({ length: 100_000 }, (_, index) => index + kept.length));
}
