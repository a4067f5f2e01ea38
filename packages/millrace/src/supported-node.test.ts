import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { connect } from "./client/connect.ts";
import { createNode } from "./node/connect-node.ts";
import { runNode } from "./node/run-node.ts";
import { nodeProblem } from "./supported-node.ts";

test("the oldest Node that will do is the one of the package's manifest", () => {
  const { engines } = JSON.parse(
    readFileSync(new URL("../package.json", import.meta.url), "utf8"),
  ) as { readonly engines: { readonly node: string } };
  expect(engines.node).toBe(">=22.18");
  expect(nodeProblem(process.versions)).toBeUndefined();
  for (const node of ["22.18.0", "22.20.1", "23.0.0", "24.0.0", "100.1.0"])
    expect(nodeProblem({ node })).toBeUndefined();
  for (const node of ["18.20.8", "20.19.5", "22.9.0", "22.17.1"])
    expect(nodeProblem({ node })).toContain(`22.18 or later, and this is ${node}.`);
});

test("Bun and Deno are judged by themselves", () => {
  expect(nodeProblem({ node: "20.0.0", bun: "1.4.5" })).toBeUndefined();
  expect(nodeProblem({ node: "20.0.0", deno: "2.9.6" })).toBeUndefined();
});

test("connect, createNode and runNode say so before they do anything", async () => {
  vi.spyOn(process, "versions", "get").mockReturnValue({ ...process.versions, node: "20.19.5" });
  const refusal = { code: "nodejs-too-old", message: expect.stringContaining("20.19.5") as string };
  await expect(connect()).rejects.toMatchObject(refusal);
  await expect(createNode({ jobs: [] })).rejects.toMatchObject(refusal);
  await expect(runNode({ jobs: [] })).rejects.toMatchObject(refusal);
});
