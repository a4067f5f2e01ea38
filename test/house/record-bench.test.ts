import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const SCRIPT = "scripts/record-bench.sh";
/** A bench that takes no time: what it is asked, it keeps. */
const BENCH = `
import { appendFileSync, writeFileSync } from "node:fs";
const args = process.argv.slice(2);
const file = args[args.indexOf("--record") + 1];
appendFileSync(file, JSON.stringify(args.slice(0, -2)) + "\\n");
writeFileSync(file.replace(".jsonl", ".svg"), "<svg/>");
process.exit(args.includes("--broken") ? 2 : args.includes("--missed") ? 1 : 0);
`;

function repository(): { readonly work: string; git: (...args: readonly string[]) => string } {
  const folder = mkdtempSync(join(tmpdir(), "millrace-record-bench-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [origin, work] = [join(folder, "origin.git"), join(folder, "work")];
  execFileSync("git", ["init", "--quiet", "--bare", origin]);
  execFileSync("git", ["init", "--quiet", "--initial-branch=main", work]);
  for (const part of ["bench", "scripts"]) mkdirSync(join(work, part));
  cpSync(join(ROOT, SCRIPT), join(work, SCRIPT));
  writeFileSync(join(work, "bench/main.ts"), BENCH);
  const git = (...args: readonly string[]): string =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...args], {
      ...{ cwd: work, encoding: "utf8" },
    });
  git("remote", "add", "origin", origin);
  git("add", ".");
  git("commit", "--quiet", "-m", "one");
  git("push", "--quiet", "origin", "main");
  return { work, git };
}

test("each night's figures are added to those on a branch of their own, a missed goal's too", () => {
  const { work, git } = repository();
  const record = (...args: readonly string[]) =>
    spawnSync(`./${SCRIPT}`, args, {
      ...{ cwd: work, encoding: "utf8" },
      env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` },
    });
  expect(record("--rounds", "5")).toMatchObject({ status: 0, stderr: "" });
  expect(record("--missed")).toMatchObject({ status: 1 });
  expect(record("--broken")).toMatchObject({ status: 2 });

  git("fetch", "--quiet", "origin", "bench-records");
  expect(git("ls-tree", "--name-only", "FETCH_HEAD")).toBe("bench.jsonl\nbench.svg\n");
  expect(git("show", "FETCH_HEAD:bench.jsonl")).toBe('["--rounds","5"]\n["--missed"]\n');
  const head = git("rev-parse", "--short=8", "main").trim();
  expect(git("log", "--format=%s", "FETCH_HEAD")).toMatch(
    new RegExp(`^(Bench of ${head}\n){2}Figures of each night\n$`),
  );
  // What it needed meanwhile is gone, and the tree is as it was.
  expect(existsSync(join(work, ".millrace/bench-records"))).toBe(false);
  expect(git("worktree", "list").trim().split("\n")).toHaveLength(1);
  expect(readFileSync(join(work, "bench/main.ts"), "utf8")).toBe(BENCH);
});
