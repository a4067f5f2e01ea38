import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { COMMANDS } from "../command-list.ts";
import { completionModel } from "./model.ts";
import { completionScript, SHELLS } from "./scripts.ts";

const model = completionModel(COMMANDS);

function isThere(shell: string): boolean {
  return spawnSync(shell, ["-c", "true"]).status === 0;
}

/** What bash offers behind these words; the last one is being written. */
function offered(...words: readonly string[]): readonly string[] {
  const script = `${completionScript("bash", model)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _millrace; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", script, "bash", "millrace", ...words], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return stdout.split("\n").filter((line) => line !== "");
}

test.skipIf(!isThere("bash"))("bash: groups, commands, flags and a flag's few values", () => {
  expect(offered("no")).toEqual(["nodes"]);
  expect(offered("nodes", "")).toEqual(["list", "quiet", "resume", "stop"]);
  expect(offered("nodes", "st")).toEqual(["stop"]);
  expect(offered("nodes", "stop", "--w")).toEqual(["--wait"]);
  expect(offered("nodes", "stop", "n1", "--reason", "x", "--y")).toEqual(["--yes"]);
  expect(offered("healthcheck", "--probe", "")).toEqual(["live", "ready"].toReversed());
  expect(offered("enqueue", "double", "--on")).toEqual(["--on-conflict"]);
  expect(offered("nothing", "")).toEqual([]);
});

test.each(SHELLS)("%s: the script names every command and every flag, and is sound", (shell) => {
  const script = completionScript(shell, model);
  for (const { name, flags } of COMMANDS) {
    for (const word of name.split(" ")) expect(script).toContain(word);
    for (const flag of Object.keys(flags)) expect(script).toContain(flag);
  }
});

function fileOf(shell: (typeof SHELLS)[number]): string {
  const folder = mkdtempSync(join(tmpdir(), "millrace-completion-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, shell);
  writeFileSync(file, completionScript(shell, model));
  return file;
}

test.each(SHELLS.filter((shell) => isThere(shell)))("%s itself reads its script", (shell) => {
  const { status, stderr } = spawnSync(shell, ["-n", fileOf(shell)], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

test.skipIf(!isThere("fish"))("fish: groups, commands, flags and a flag's few values", () => {
  const shell: (typeof SHELLS)[number] = "fish";
  const file = fileOf(shell);
  const inFish = (line: string): readonly string[] =>
    spawnSync(shell, ["--no-config", "-c", `source ${file}; complete -C '${line}'`], {
      encoding: "utf8",
    })
      .stdout.split("\n")
      .filter((offer) => offer !== "")
      .map((offer) => offer.split("\t")[0] ?? "");
  expect(inFish("millrace no")).toEqual(["nodes"]);
  expect(inFish("millrace nodes st")).toEqual(["stop"]);
  expect(inFish("millrace nodes stop --w")).toEqual(["--wait"]);
  expect(inFish("millrace healthcheck --probe ").toSorted()).toEqual(["live", "ready"]);
});
