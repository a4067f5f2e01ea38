// Where nothing builds images, this installs from the same files in the same way; that they are
// enough to build, the tests of the packed packages show, which are packed from them.
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { copyContext } from "../packaging/image-context.ts";
import { runCommand } from "../packaging/run-command.ts";

const ROOT = resolve(import.meta.dirname, "../..");

test("what the image is built from can be installed by its lockfile", async () => {
  const context = await mkdtemp(join(tmpdir(), "millrace-context-"));
  onTestFinished(() => rm(context, { recursive: true, force: true }));
  copyContext(context, { linked: false });
  const assemble = readFileSync(join(context, "deploy/image/assemble.mjs"), "utf8");
  const [, given = ""] = /pnpm\(("install"[^)]*)\)/.exec(assemble) ?? [];
  const flags = [...given.matchAll(/"([^"]+)"/g)].map(([, flag = ""]) => flag);
  expect(flags).toContain("--frozen-lockfile");
  const { packageManager } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    readonly packageManager: string;
  };
  // All but the packages themselves.
  const install = ["npx", "--yes", packageManager, ...flags, "--lockfile-only"];
  const { code, output } = await runCommand(install, context);
  expect(code, output).toBe(0);
}, 60_000);
