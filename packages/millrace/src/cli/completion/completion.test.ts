import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createMask } from "@millrace/telemetry/masking";
import { parseDeadFilter } from "../../client/dead/dead-filter.ts";
import { parseLiveJobFilter } from "../../client/jobs/job-filter.ts";
import { LIVE_STATES } from "../../client/jobs/live-jobs.ts";
import { parseFilter } from "../../filter/filter-test.ts";
import { CAUSE_FIELDS } from "../../search/cause-row.ts";
import { FIELD_WORDS } from "../../search/indexed-job.ts";
import { causeTerms, deadTerms, jobTerms, liveTerms } from "./filter-terms.ts";
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

test.skipIf(!isThere("bash"))("bash: fields of a filter, and its states", () => {
  expect(offered("jobs", "list", "--filter", "ta")).toEqual(["tag:"]);
  expect(offered("jobs", "list", "--filter", "")).toContain("payload:");
  expect(offered("jobs", "list", "--filter", "")).not.toContain("state:dead");
  expect(offered("dead", "retry", "--filter", "st")).toEqual([]);
  // As bash has it, to whom a colon is a word; and where COMP_WORDBREAKS has none.
  expect(offered("jobs", "list", "--filter", "state", ":", "de")).toEqual(["delayed", "dead"]);
  expect(offered("jobs", "cancel", "--filter", "state", ":")).toEqual(LIVE_STATES);
  expect(offered("jobs", "list", "--filter", "state:de")).toEqual(["state:delayed", "state:dead"]);
  expect(offered("jobs", "list", "--filter", "name", ":")).toEqual([]);
});

test("each field of a filter that is offered is one", () => {
  const begun = ({ begins = [] }: { readonly begins?: readonly string[] }): readonly string[] =>
    begins.filter((word) => word.endsWith(":")).map((word) => valued(word));
  const mask = createMask();
  for (const filter of begun(liveTerms)) parseLiveJobFilter(filter, 0, mask);
  for (const filter of begun(deadTerms)) parseDeadFilter(filter, 0, mask);
  for (const filter of begun(causeTerms)) {
    parseDeadFilter(filter, 0, mask);
    parseFilter(filter, 0, CAUSE_FIELDS);
  }
  const known = new Set([
    ...Object.keys(FIELD_WORDS),
    ...begun(liveTerms).map((filter) => filter.slice(0, filter.search(/[:>]/))),
  ]);
  for (const filter of begun(jobTerms)) expect(known).toContain(/^[a-z]+/.exec(filter)?.[0]);
  // None that the index knows is missing.
  expect(jobTerms.begins).toEqual(
    expect.arrayContaining(Object.keys(FIELD_WORDS).map((field) => `${field}:`)),
  );
});

/** A term that begins so, with a value that its field takes. */
function valued(word: string): string {
  const field = word.slice(0, -1);
  if (field === "at") return "at>2030-01-01T00:00Z";
  return field === "age" || field === "took" ? `${field}>2h` : `${field}:1`;
}

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
  expect(inFish("millrace jobs list --filter ta")).toEqual(["tag:"]);
  expect(inFish("millrace healthcheck --probe ").toSorted()).toEqual(["live", "ready"]);
});
