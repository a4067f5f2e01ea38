import { appendFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { defineJob } from "@millrace/core";
import type { ConnectConfig } from "../reliability/programs/work.ts";

export interface OrderConfig extends ConnectConfig {
  /** A file to which all processes add what they do, a line each: see `Line`. */
  readonly effects: string;
}

/**
 * What happened, in its order. `began`: a handler at its top, which had asked for its record.
 * `ran`: a step's function. `saw`: a handler that was given a step's result.
 */
export interface Line {
  readonly what: "began" | "ran" | "saw";
  readonly order: string;
  /** One of each time that the handler runs. */
  readonly run: string;
  readonly step?: string;
  /** What the step's function made, or what was recorded. */
  readonly value?: unknown;
}

/** No later than an election: its holder lives through one. */
export const LEASE = "30s";
export const NAP_MS = 1_000;

export const order = defineJob<null, null, Readonly<Record<string, unknown>>>({
  ...{ name: "order", queue: "orders", steps: true },
  // What an election makes of a step is an attempt that failed.
  retry: { attempts: 50, backoff: "fixed", base: "200ms" },
});
const price = defineJob<string, string, string>({
  ...{ name: "price", queue: "prices" },
  retry: { attempts: 50, backoff: "fixed", base: "200ms" },
});

/** All that a job with steps can do: a run, a sleep, two signals of one name, a call, a run. */
export function orderJobs({ effects }: Pick<OrderConfig, "effects">) {
  const tell = (line: Line): void => appendFileSync(effects, `${JSON.stringify(line)}\n`);
  return [
    order.handler(async ({ job: { id }, step }) => {
      const of = { order: id, run: randomUUID() };
      tell({ what: "began", ...of });
      const saw = <Value>(name: string, value: Value): Value => {
        tell({ what: "saw", ...of, step: name, value });
        return value;
      };
      const run = async (name: string, make: () => string): Promise<string> => {
        const made = await step.run(name, () => {
          const value = make();
          tell({ what: "ran", ...of, step: name, value });
          return value;
        });
        return saw(name, made);
      };
      const charge = await run("charge", () => randomUUID());
      const sleptFrom = Number(await run("before the nap", () => String(Date.now())));
      await step.sleep("nap", NAP_MS);
      const napped = Number(await run("after the nap", () => String(Date.now()))) - sleptFrom;
      const first = saw("go 1", await step.waitFor<number>("go"));
      const second = saw("go 2", await step.waitFor<number>("go"));
      const priced = saw("price", await step.call(price, charge));
      const ship = await run("ship", () => `${charge} ${priced} ${randomUUID()}`);
      return { charge, napped, first, second, priced, ship };
    }),
    price.handler(({ input, job: { id } }) => {
      tell({ what: "ran", order: input, run: id, step: "the called job" });
      return `price ${input} ${id}`;
    }),
  ];
}
