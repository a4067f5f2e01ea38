import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runCommand, succeed } from "../packaging/run-command.ts";
import { NODE_MB } from "./image-budget.ts";

const SCRIPT = resolve(import.meta.dirname, "../../deploy/image/strip-node.mjs");
/** Threads, compiled code, ICU and stacks, in one line each. */
const PROGRAM = `
  const { Worker } = require("node:worker_threads");
  const code = 'require("node:worker_threads").parentPort.postMessage(process.version)';
  new Worker(code, { eval: true }).on("message", (version) => {
    console.log(version, new Intl.DateTimeFormat("de", { timeZone: "UTC" }).format(0));
    console.log(new Error("a stack").stack.split("\\n").length > 2);
  });`;

test.skipIf(process.platform !== "linux")(
  "the image's Node is a seventh smaller, leaves room for the rest in 200 MB, and does all that it did",
  async () => {
    const dir = mkdtempSync(join(tmpdir(), "millrace-strip-"));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const stripped = join(dir, "node");
    expect(await succeed([process.execPath, SCRIPT, process.execPath, stripped], dir)).toContain(
      process.version,
    );
    expect(statSync(stripped).size / statSync(process.execPath).size).toBeLessThan(0.9);
    // Of this machine's Node, which is the image's where it has its version and architecture.
    if (process.arch === "x64" && process.version.startsWith("v24."))
      expect(statSync(stripped).size / 1e6).toBeLessThan(NODE_MB + 0.5);
    expect(await succeed([stripped, "-e", PROGRAM], dir)).toBe(
      `${process.version} 1.1.1970\ntrue\n`,
    );
    const { code, output } = await runCommand([process.execPath, SCRIPT, SCRIPT, stripped], dir);
    expect([code, output]).toEqual([1, expect.stringContaining("not a 64-bit")]);
  },
  60_000,
);
