import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { startChild } from "./child.ts";
import { outOfCluster } from "./cluster/out-of-cluster.ts";

const ROOT = resolve(import.meta.dirname, "../..");

it("fails a file that leaves a handle open, and one that leaves its process changed", async () => {
  outOfCluster();
  const child = startChild(join(ROOT, "node_modules/vitest/vitest.mjs"), {
    args: ["run", "--config", join(import.meta.dirname, "fixtures/leaky.config.ts")],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  });
  await expect(child.exit(90_000)).resolves.toEqual({ code: 1, signal: null });
  const output = child.output().join("\n");
  expect(output).toMatch(/this file left handles open: 1 × TCPServerWrap/);
  expect(output).toContain("what this file left changed for the next files of its process");
  for (const name of ["process.env.LEFT_BEHIND", "process.on(SIGUSR2)", "globalThis.setTimeout"])
    expect(output).toContain(`+   "${name}"`);
});
