import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
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

test.each(SHELLS.filter((shell) => isThere(shell)))("%s itself reads its script", (shell) => {
  const { status, stderr } = spawnSync(shell, ["-n"], {
    input: completionScript(shell, model),
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
