import { resolve } from "node:path";
import { expect, test } from "vitest";
import { runCommand } from "../packaging/run-command.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** Each ends before anything is installed or started. */
test.for(["soak", "chaos"])("pnpm %s refuses what it can't use", async (command) => {
  const run = (...args: readonly string[]) =>
    runCommand([process.execPath, `scripts/${command}.mjs`, ...args], ROOT);
  for (const [args, message] of [
    [
      ["--from", "three", "--seed", "1"],
      "--from must be the number of a phase, from 0; got three.",
    ],
    [["--from=-1", "--seed", "1"], "--from must be the number of a phase, from 0; got -1."],
    [["--from", "1.5", "--seed", "1"], "--from must be the number of a phase, from 0; got 1.5."],
    [["--from", "3"], "--from needs a --seed: another seed has other phases."],
    [["--seed", "x"], "--seed must be a whole number from 0; got x."],
    [["--minutes", "0"], "--minutes must be a number above 0; got 0."],
    [["--server", "2.9"], "--server must be newest or 2.10; got 2.9."],
  ] as const) {
    const { code, output } = await run(...args);
    expect([code, output]).toEqual([2, expect.stringContaining(message)]);
  }
  expect((await run("--help")).code).toBe(0);
});
