// A job file of `millrace run`: a bank that is there while the file that BANK names is.
import { existsSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { defineJob, fatal } from "millrace";

const isThere = (): boolean => existsSync(process.env["BANK"] ?? "");

export const charge = defineJob<{ readonly n: number }>({
  name: "billing.charge",
  queue: "billing",
}).handler(({ input }) => (isThere() ? input.n : fatal("the bank is down")));

/** Runs until the bank is there. */
export const settle = defineJob({ name: "books.settle", queue: "books" }).handler(
  async ({ signal }) => {
    while (!isThere()) await wait(50, undefined, { signal });
    return "settled";
  },
);
