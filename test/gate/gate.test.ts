import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
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
    [
      "broker-nats",
      "export const h = (stored: S) => stored.header;",
      /reads headers by the client/,
    ],
    ["broker-nats", "export const h = (msg: Msg) => msg.headers;", /reads headers by the client/],
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

  it("refuses folders whose values import one another, at every depth, and shows an import", async () => {
    const files = {
      "a/x.ts": 'export { y } from "../b/y.ts";',
      "b/y.ts": 'import { z } from "../c/z.ts";\nexport const y = z;',
      "c/z.ts": 'import { type X, x } from "../a/deep/x.ts";\nexport const z: X = x;',
      "a/deep/x.ts": "export type X = number;\nexport const x = 1;",
      "d/one/x.ts": 'export { y } from "../two/y.ts";',
      "d/two/y.ts": 'import "../one/z.ts";\nexport const y = 1;',
      "d/one/z.ts": "export {};",
    };
    expect((await breachesIn("core", files)).trim().split("\n")).toEqual([
      "packages/core/src: a and b import one another: a/x.ts imports b/y.ts",
      "packages/core/src: b and c import one another: b/y.ts imports c/z.ts",
      "packages/core/src: c and a import one another: c/z.ts imports a/deep/x.ts",
      "packages/core/src: d/one and d/two import one another: d/one/x.ts imports d/two/y.ts",
      "packages/core/src: d/two and d/one import one another: d/two/y.ts imports d/one/z.ts",
    ]);
  });

  it("refuses files that import one another, if only for a type, and names all of a circle", async () => {
    const files = {
      "x.ts": 'import type { Y } from "./y.ts";\nexport type X = Y;',
      "y.ts": 'import { type Z } from "./z.ts";\nexport type Y = Z;',
      "z.ts": 'export type { X as Z } from "./x.ts";',
      "above.ts": 'import type { X } from "./x.ts";\nexport type Above = X;',
      "below.ts": "export type Below = 1;",
    };
    expect(await breachesIn("core", files)).toBe(
      "packages/core/src: import one another: x.ts, y.ts, z.ts\n",
    );
  });

  it("refuses a folder of more files than 24, and counts no tests", async () => {
    const named = (count: number, ending: string) =>
      Array.from({ length: count }, (_, n) => [`a/b/x${n}${ending}`, "export {};"]);
    const fits = Object.fromEntries([...named(24, ".ts"), ...named(9, ".test.ts")]) as Record<
      string,
      string
    >;
    expect(await breachesIn("core", fits)).toBe("");
    expect(await breachesIn("core", { ...fits, "a/b/y.tsx": "export {};" })).toBe(
      "packages/core/src: a/b holds 25 files: 24 at most, by duty\n",
    );
    const page = Array.from({ length: 25 }, (_, n) => [`../page/x${n}.tsx`, "export {};"]);
    expect(await breachesIn("core", { "x.ts": "", ...Object.fromEntries(page) })).toBe(
      "packages/core/page: . holds 25 files: 24 at most, by duty\n",
    );
  });

  it("allows folders that import one another's types, in tests, and through the file above them", async () => {
    const files = {
      "a/x.ts": 'import { y } from "../b/y.ts";\nexport type X = typeof y;',
      "b/y.ts": "export const y = 1;",
      "b/z.ts": 'import { type X } from "../a/x.ts";\nexport const z = 1 as unknown as X;',
      "b/y.test.ts": 'import { a } from "../a/x.ts";\nvoid a;',
      "whole.ts": 'import { y } from "./b/y.ts";\nexport const whole = y;',
      "a/w.ts": 'export { whole } from "../whole.ts";',
    };
    expect(await breachesIn("core", files)).toBe("");
  });

  const breachesOf = (name: string, source: string): Promise<string> =>
    breachesIn(name, { "x.ts": source });

  async function breachesIn(
    name: string,
    files: Readonly<Record<string, string>>,
  ): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), "millrace-boundaries-"));
    cleanUpLater(() => rm(dir, { recursive: true, force: true }));
    await mkdir(join(dir, "scripts"));
    for (const script of [
      "check-boundaries.mjs",
      "file-cycles.mjs",
      "folder-cycles.mjs",
      "folder-sizes.mjs",
      "imports.mjs",
    ])
      await copyFile(join(ROOT, "scripts", script), join(dir, "scripts", script));
    for (const [file, source] of Object.entries(files)) {
      const path = join(dir, "packages", name, "src", file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, source);
    }
    return complaints(process.execPath, [join(dir, "scripts", "check-boundaries.mjs")]);
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
