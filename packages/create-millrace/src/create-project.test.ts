import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createProject } from "./create-project.ts";

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "create-millrace-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("a project names itself, and asks for the millrace of its own version", () => {
  const folder = join(emptyFolder(), "my-jobs");
  const files = createProject(folder);
  expect(files).toContain("worker.ts");
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    name: string;
    dependencies: Record<string, string>;
  };
  expect(manifest.name).toBe("my-jobs");
  expect(manifest.dependencies["millrace"]).toMatch(/^\d+\.\d+\.\d+/);
  for (const file of files) {
    if (!file.endsWith(".ts")) continue;
    expect(readFileSync(join(folder, "README.md"), "utf8")).toContain(`\`${file}\``);
  }
});

test("nothing is written over, and a folder whose name no package can have is refused", () => {
  const folder = join(emptyFolder(), "my-jobs");
  createProject(folder);
  writeFileSync(join(folder, "jobs.ts"), "mine");
  expect(() => createProject(folder)).toThrow(/is not empty/);
  expect(readFileSync(join(folder, "jobs.ts"), "utf8")).toBe("mine");
  expect(() => createProject(join(emptyFolder(), "My Jobs"))).toThrow(/can't be the name/);
});
