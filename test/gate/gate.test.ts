import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const run = promisify(execFile);

/** Runs a tool of the gate; what it prints is the failure's message. */
async function complaints(command: string, args: readonly string[]): Promise<string> {
  try {
    await run(command, [...args], { cwd: ROOT, maxBuffer: 16 * 1024 * 1024, timeout: 110_000 });
    return "";
  } catch (error) {
    const { stdout = "", stderr = "" } = error as {
      readonly stdout?: string;
      readonly stderr?: string;
    };
    return `${stdout}${stderr}` || String(error);
  }
}

// Seconds on an idle machine; the time allowed is for one that runs other suites beside this.
describe("the parts of `pnpm check` that take seconds", { timeout: 180_000 }, () => {
  it("types fit everywhere, type tests included", async () => {
    expect(await complaints("node_modules/.bin/tsc", ["--noEmit", "-p", "tsconfig.json"])).toBe("");
  });

  it("the dashboard's page fits its types", async () => {
    const page = ["--noEmit", "-p", "packages/dashboard/page"];
    expect(await complaints("node_modules/.bin/tsc", page)).toBe("");
  });

  it("the linter has nothing to say", async () => {
    expect(await complaints("node_modules/.bin/oxlint", ["--type-aware", "--deny-warnings"])).toBe(
      "",
    );
  });

  it("packages import along the arrows", async () => {
    expect(await complaints(process.execPath, ["scripts/check-boundaries.mjs"])).toBe("");
  });
});

describe("check-boundaries", () => {
  it.each([
    [
      "core",
      'import { x } from "@millrace/runtime";',
      /core\/src\/x\.ts: must not import "@millrace\/runtime"/,
    ],
    ["core", 'export { x } from "@millrace/nats-server";', /must not import/],
    ["runtime", 'import { connect } from "@nats-io/transport-node";', /must not import/],
    ["runtime", 'const broker = await import("@millrace/broker-nats");', /must not import/],
    ["broker-nats", 'import { y } from "../../core/src/y.ts";', /reaches out of its package/],
    ["millrace", 'export * from "./y.ts";', /hides what a package gives away/],
    ["core", "export const now = new Date();", /reads the time/],
    ["elsewhere", "export const x = 1;", /no place among the arrows/],
  ])("in %s refuses: %s", async (name, source, expected) => {
    expect(await breachesOf(name, source)).toMatch(expected);
  });

  it.each([
    ["broker-nats", 'import { x } from "@millrace/core";\nimport { y } from "./y.ts";'],
    ["core", "export const at = (ms: number) => new Date(ms);"],
    [
      "core",
      '/** @example import { connect } from "millrace"; */\nexport const x = 1; // new Date()',
    ],
  ])("in %s allows: %s", async (name, source) => {
    expect(await breachesOf(name, source)).toBe("");
  });

  async function breachesOf(name: string, source: string): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), "millrace-boundaries-"));
    cleanUpLater(() => rm(dir, { recursive: true, force: true }));
    const script = join(dir, "scripts", "check-boundaries.mjs");
    await mkdir(dirname(script));
    await writeFile(script, await readFile(join(ROOT, "scripts", "check-boundaries.mjs")));
    await mkdir(join(dir, "packages", name, "src"), { recursive: true });
    await writeFile(join(dir, "packages", name, "src", "x.ts"), source);
    return complaints(process.execPath, [script]);
  }
});

describe("the lockfile and the settings", () => {
  it.each(["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"])(
    "%s names no registry and no path of a machine",
    async (file) => {
      const text = await readFile(join(ROOT, file), "utf8");
      // `git+https` and `tarball:` entries carry a host, so they are caught too.
      expect(
        text.match(/^.*(https?:\/\/|file:\/|\/(root|home|Users|tmp|work)\/).*$/gm) ?? [],
      ).toEqual([]);
    },
  );
});
