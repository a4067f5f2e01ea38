// What a terminal's Ctrl-C, and what an end from outside, do to a command whose editor is open.
import { access, chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { startChild, type TestChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";

vi.setConfig({ testTimeout: 120_000 });

const PROGRAM = fileURLToPath(new URL("edit-program.ts", import.meta.url));
const PATIENCE_MS = 60_000;

/** An editor that says which file it has, and writes it once somebody opens its pipe. */
async function editing(): Promise<{
  readonly program: TestChild;
  readonly file: string;
  readonly letItEnd: () => Promise<void>;
}> {
  const dir = await mkdtemp(join(tmpdir(), "millrace-editor-"));
  cleanUpLater(() => rm(dir, { recursive: true, force: true }));
  const editor = join(dir, "editor");
  const lines = [`mkfifo ${dir}/go`, 'echo "has $1"', `read -r _ < ${dir}/go`, 'echo new > "$1"'];
  await writeFile(editor, ["#!/bin/sh", ...lines, ""].join("\n"));
  await chmod(editor, 0o755);
  const program = startChild(PROGRAM, { env: { VISUAL: editor } });
  const [, file = ""] = /^has (.*)$/.exec(await program.line(/^has /, PATIENCE_MS)) ?? [];
  expect(await isThere(file)).toBe(true);
  return { program, file, letItEnd: () => writeFile(join(dir, "go"), "now\n") };
}

test("Ctrl-C is the editor's: the command goes on, and takes what was edited", async () => {
  const { program, file, letItEnd } = await editing();
  program.signal("SIGINT");
  program.signal("SIGINT");
  await letItEnd();
  await program.line(/^edited: new$/, PATIENCE_MS);
  expect(await program.exit(PATIENCE_MS)).toEqual({ code: 0, signal: null });
  expect(await isThere(file)).toBe(false);
});

test.each(["SIGTERM", "SIGHUP"] as const)("%s ends it, and leaves no payload", async (signal) => {
  const { program, file } = await editing();
  program.signal(signal);
  expect(await program.exit(PATIENCE_MS)).toEqual({ code: null, signal });
  expect(await isThere(file)).toBe(false);
});

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
