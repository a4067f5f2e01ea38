import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { defineJob } from "@millrace/core";
import type { ConnectConfig } from "../reliability/programs/work.ts";

export interface StepsConfig extends ConnectConfig {
  readonly queue: string;
  /** A file to which the effects are added, a line each. */
  readonly effects: string;
  readonly dieAt: string;
}

/** On a busy machine a lease of a second ends while its holder lives. */
export const LEASE = "5s";

/** What the steps did, in any process: `create <key>`. */
export function effectsIn(file: string): (effect: string) => void {
  return (effect) => appendFileSync(file, `${effect}\n`);
}

export function readEffects(file: string): readonly string[] {
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
}

/** A sleep between two steps; what it returns shows each step's one result. */
export function signup(queue: string, effect: (effect: string) => void) {
  return defineJob({ name: "signup", queue, steps: true, retry: "none" }).handler(
    async ({ step }) => {
      const created = await step.run("create", ({ key }) => {
        effect(`create ${key}`);
        return { at: performance.timeOrigin + performance.now(), pid: process.pid };
      });
      await step.sleep("settle", "300ms");
      const mailed = await step.run("mail", ({ key }) => {
        effect(`mail ${key}`);
        return `mailed for ${created.pid} ${created.at}`;
      });
      return { created, mailed };
    },
  );
}
