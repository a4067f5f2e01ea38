import { appendFileSync } from "node:fs";
import { defineJob } from "@millrace/core";
import type { ConnectConfig } from "../reliability/programs/work.ts";

export interface AskingConfig extends ConnectConfig {
  readonly queue: string;
  /** A file to which each run of the called job adds its id. */
  readonly effects: string;
  readonly dieAt: string;
}

/** A job that waits for a signal and then calls another, with that one. */
export function asking({ queue, effects }: Pick<AskingConfig, "queue" | "effects">) {
  const price = defineJob<number, number, number>({ name: "price", queue });
  const ask = defineJob({ name: "ask", queue, steps: true, retry: "none" });
  return [
    ask.handler(async ({ step }) => {
      const amount = await step.waitFor<number>("go");
      return { amount, price: await step.call(price, amount) };
    }),
    price.handler(({ input, job }) => {
      appendFileSync(effects, `${job.id}\n`);
      return input * 3;
    }),
  ];
}
