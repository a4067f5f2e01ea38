import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { threadFile } from "./thread-file.ts";

function directory(...files: readonly string[]): string {
  const dir = mkdtempSync(join(tmpdir(), "millrace-thread-file-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const file of files) writeFileSync(join(dir, file), "");
  return dir;
}

test.each(["ts", "js"])("the file lies beside the module, as it does: %s", (extension) => {
  const dir = directory("worker.ts", "worker.js");
  const main = pathToFileURL(join(dir, `main.${extension}`)).href;
  expect(threadFile(main, "worker").href).toBe(
    pathToFileURL(join(dir, `worker.${extension}`)).href,
  );
});

test("a bundle that was made without it is told what to do", () => {
  const main = pathToFileURL(join(directory(), "bundle.mjs")).href;
  expect(() => threadFile(main, "worker")).toThrow(/worker\.js is not there.*--packages=external/);
  expect(() => threadFile(undefined, "worker")).toThrow(/CommonJS.*--packages=external/);
});
