import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { readOptions } from "../../bench/run/options.ts";
import { problemOf as problemOfLine } from "../docs/shell-lines.ts";

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly "timeout-minutes"?: number;
        readonly permissions?: Readonly<Record<string, string>>;
        readonly strategy?: { readonly matrix?: { readonly node?: readonly number[] } };
        readonly steps: readonly Step[];
      }
    >
  >;
}

const ROOT = resolve(import.meta.dirname, "../..");
const FILES = globSync(".github/workflows/*.yml", { cwd: ROOT });
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const { packageManager } = JSON.parse(read("package.json")) as { readonly packageManager: string };

test("there are workflows that check, test, measure, release and publish the site", () => {
  expect(FILES.map((file) => file.split("/").at(-1)).toSorted()).toEqual([
    "bench.yml",
    "check.yml",
    "docs.yml",
    "release.yml",
    "test.yml",
  ]);
});

describe.each(FILES)("%s", (file) => {
  const workflow = parse(read(file)) as Workflow;
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps);

  test("has no right but to read, unless a job says so, and no job without an end", () => {
    expect(workflow.permissions).toEqual({ contents: "read" });
    for (const job of jobs) expect(job["timeout-minutes"]).toBeGreaterThan(0);
  });

  test("calls only scripts, flags, programs and files that are there", () => {
    const lines = steps.flatMap(({ run }) => run?.trim().split("\n") ?? []);
    expect(lines.filter((line) => problemOf(line) !== undefined).map(problemOf)).toEqual([]);
    for (const step of steps) {
      const named = step.with?.["file"];
      if (typeof named === "string") expect(existsSync(join(ROOT, named)), named).toBe(true);
    }
  });

  test("every action is pinned to a commit, and its version is told for the update bot", () => {
    const named = steps.flatMap(({ uses }) => (uses === undefined ? [] : [uses]));
    const pinned = [...read(file).matchAll(/uses: ([\w/-]+@[0-9a-f]{40}) # v\d+\.\d+\.\d+$/gm)];
    expect(pinned.map(([, action]) => action)).toEqual(named);
  });

  test("Node's action looks for no package manager, which is not there yet", () => {
    for (const { uses, with: given } of steps)
      if (uses?.startsWith("actions/setup-node@") === true)
        expect(given?.["package-manager-cache"], file).toBe(false);
  });
});

test("the tests run from each Node that a contributor may have", () => {
  const { jobs } = parse(read(".github/workflows/test.yml")) as Workflow;
  expect(jobs["short"]?.strategy?.matrix?.node).toEqual([20, 22, 24, 26]);
});

test("what users install is tested on Node 22 and 26 with each change", () => {
  const { jobs } = parse(read(".github/workflows/test.yml")) as Workflow;
  const [run = ""] = jobs["packed"]?.steps.flatMap((step) => step.run ?? []) ?? [];
  const folders = run.split(" -- ")[1]?.split(" ") ?? [];
  expect(folders).toEqual(["test/runtimes", "test/packaging"]);
  expect(read("test/runtimes/runtimes.test.ts")).toMatch(/\["22\.\d+\.\d+", "26\.\d+\.\d+"\]/);
});

test("the pages are deployed from the main branch, which their environment takes", () => {
  const { on } = parse(read(".github/workflows/docs.yml")) as { readonly on: unknown };
  expect(on).toEqual({
    push: { branches: ["main"] },
    workflow_run: { workflows: ["release"], types: ["completed"] },
  });
  expect((parse(read(".github/workflows/release.yml")) as { name: string }).name).toBe("release");
});

test("the bench of each night is asked for what there is, and may write its branch", () => {
  const { jobs } = parse(read(".github/workflows/bench.yml")) as Workflow;
  expect(jobs["record"]?.permissions).toEqual({ contents: "write" });
  const [, ...args] = jobs["record"]?.steps.at(-1)?.run?.trim().split(" ") ?? [];
  const options = readOptions([...args, "--record", "bench.jsonl"], []);
  expect(options).toMatchObject({ peers: false, durabilities: ["page-cache"], rounds: 5 });
});

test("only the release and the site have an identity, and the release gets its packages by no token", () => {
  for (const file of FILES) {
    const { jobs } = parse(read(file)) as Workflow;
    for (const job of Object.values(jobs))
      if (job.permissions?.["id-token"] !== undefined) expect(file).toMatch(/(release|docs)\.yml$/);
  }
  expect(read(".github/workflows/release.yml")).not.toMatch(/NPM_TOKEN|NODE_AUTH_TOKEN/);
});

test("templates of issues ask for something, and the update bot looks at every folder it names", () => {
  for (const file of globSync(".github/ISSUE_TEMPLATE/{bug,idea}.yml", { cwd: ROOT })) {
    const template = parse(read(file)) as { name: string; description: string; body: unknown[] };
    expect([template.name.length > 5, template.description.length > 10]).toEqual([true, true]);
    expect(template.body.length).toBeGreaterThan(1);
  }
  const { updates } = parse(read(".github/dependabot.yml")) as {
    updates: { "package-ecosystem": string; directory: string }[];
  };
  expect(updates.map((update) => update["package-ecosystem"])).toEqual([
    "npm",
    "github-actions",
    "docker",
  ]);
  for (const { directory } of updates) expect(existsSync(join(ROOT, directory))).toBe(true);
});

test.each(["SECURITY", "CODE_OF_CONDUCT", "MAINTAINERS", "ROADMAP"])(
  "%s.md is there, and CONTRIBUTING.md leads to it",
  (name) => {
    expect(read(`${name}.md`).length).toBeGreaterThan(500);
    expect(read("CONTRIBUTING.md")).toContain(`](${name}.md)`);
  },
);

test.each([
  ["npx --yes pnpm@1.2.3 check", /neither millrace nor pnpm@/],
  [`npx --yes ${packageManager} chekc`, /no script chekc/],
  [`npx --yes ${packageManager} release --provenence`, /has no --provenence/],
  ["npm test --silent -- --al", /has no --al$/],
  [".ci/rum", /can't be run/],
])("a step that is wrong is told: %s", (line, problem) => {
  expect(problemOf(line)).toMatch(problem);
});

/** The machine's own, else built by Go, which keeps what it has built. */
const actionlint = [
  [process.env["ACTIONLINT"] ?? "actionlint"],
  ["go", "run", "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"],
].find(([program = "", ...args]) => spawnSync(program, [...args, "-version"]).status === 0);
test.skipIf(actionlint === undefined)(
  `actionlint${actionlint === undefined ? ": it is not on this machine, and Go does not bring it" : ""}`,
  () => {
    const [program = "", ...args] = actionlint ?? [];
    const lint = [...args, "-no-color", ...FILES];
    expect(execFileSync(program, lint, { cwd: ROOT, encoding: "utf8" })).toBe("");
  },
  120_000,
);

/** What is wrong with a line that a workflow or its script runs, if anything. */
function problemOf(line: string): string | undefined {
  if (line.startsWith("echo ")) return undefined;
  if (!line.startsWith(".")) return problemOfLine(line.replace(/^exec /, ""), []);
  const [program = ""] = line.split(" ");
  const file = join(ROOT, program);
  const canRun = existsSync(file) && (statSync(file).mode & 0o111) !== 0;
  if (!canRun) return `${program} can't be run`;
  const own = read(program).split("\n").slice(1);
  return own
    .filter((one) => /^(exec )?(npm|npx) /.test(one))
    .map(problemOf)
    .find(Boolean);
}
