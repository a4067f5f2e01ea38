import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { connect } from "millrace";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { describeServer } from "../harness/servers.ts";
import { installPackages } from "../packaging/installed-packages.ts";
import { obtained } from "../packaging/obtained-program.ts";
import { runCommand, succeed } from "../packaging/run-command.ts";
import { type Program, startProgram } from "./program.ts";

const PROGRAMS = join(import.meta.dirname, "programs");
const TSC = resolve(import.meta.dirname, "../../node_modules/.bin/tsc");
const MINUTES = 5 * 60_000;

const esbuild = await obtained("esbuild", "0.28.2");
const tsx = await obtained("tsx", "4.23.15");
const bun = await obtained("bun", "1.4.5");
const deno = await obtained("deno", "2.9.6");
/** The oldest that is supported, and the newest. All other tests run on Node 24. */
const OTHER_NODES = await Promise.all(
  ["22.18.0", "26.9.0"].map(async (version) => ({ version, ...(await obtained("node", version)) })),
);

/** esbuild's own: CommonJS packages ask for modules of Node in an ESM bundle. */
const REQUIRE = `import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);`;
const PLACE = `const __place=require("node:url").pathToFileURL(__filename).href;`;
const LEASES = "lease-worker=millrace/lease-worker";
const IN_ESM = ["--format=esm", `--banner:js=${REQUIRE}`];
const IN_CJS = ["--format=cjs", `--banner:js=${PLACE}`, "--define:import.meta.url=__place"];

describeServer("a build or another runtime", "newest", (server) => {
  let packages: string;
  beforeAll(async () => {
    const dir = await mkdtemp(join(tmpdir(), "millrace-installed-"));
    cleanUpLater(() => rm(dir, { recursive: true, force: true }));
    packages = await installPackages(dir);
  }, MINUTES);

  /** A project that has Millrace installed, from its packed packages. */
  function project(type: "module" | "commonjs"): string {
    const dir = mkdtempSync(join(tmpdir(), "millrace-runtimes-"));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    symlinkSync(packages, join(dir, "node_modules"));
    writeFileSync(join(dir, "package.json"), JSON.stringify({ private: true, type }));
    for (const file of ["worker.ts", "producer.ts", "index-reader.ts"])
      copyFileSync(join(PROGRAMS, file), join(dir, file));
    return dir;
  }

  /** Bundles the worker into `dist`, where no package can be found. */
  async function bundle(dir: string, flags: readonly string[]): Promise<string> {
    const own = ["--bundle", "--platform=node", `--outdir=${join(dir, "dist")}`];
    await succeed([esbuild.path, "worker.ts", ...own, "--log-level=error", ...flags], dir);
    if (!flags.includes("--packages=external")) rmSync(join(dir, "node_modules"));
    return join(dir, "dist", "worker.js");
  }

  async function scene(cwd: string): Promise<(command: readonly string[]) => Program> {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    await client.queues.ensure("runtimes");
    await client.close();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    return (command) => startProgram(command, { cwd, env });
  }

  /** The worker takes a job, which it can't without its thread, and the producer has its result. */
  async function works(
    dir: string,
    worker: readonly string[],
    producer: readonly string[] = [process.execPath, join(PROGRAMS, "producer.ts")],
    indexReader?: readonly string[],
  ): Promise<void> {
    const start = await scene(dir);
    const node = start(worker);
    await node.says("the node runs");
    await start(producer).says("hello 1");
    if (indexReader !== undefined) await start(indexReader).says("hello ended once, as succeeded");
    await node.end();
  }

  async function fails(dir: string, file: string): Promise<string> {
    const start = await scene(dir);
    return start([process.execPath, file]).says("MillraceError");
  }

  test.skipIf(esbuild.why !== "")(
    `esbuild with Millrace beside the bundle, in ESM and in CommonJS${esbuild.why}`,
    async () => {
      const esm = project("module");
      const external = "--packages=external";
      await works(esm, [process.execPath, await bundle(esm, ["--format=esm", external])]);
      const cjs = project("commonjs");
      await works(cjs, [process.execPath, await bundle(cjs, ["--format=cjs", external])]);
    },
    MINUTES,
  );

  test.skipIf(esbuild.why !== "")(
    `esbuild with everything in the bundle, in ESM and in CommonJS${esbuild.why}`,
    async () => {
      const esm = project("module");
      await works(esm, [process.execPath, await bundle(esm, [...IN_ESM, LEASES])]);
      const cjs = project("commonjs");
      await works(cjs, [process.execPath, await bundle(cjs, [...IN_CJS, LEASES])]);
    },
    MINUTES,
  );

  test.skipIf(esbuild.why !== "")(
    `a bundle without its thread fails at the start and says what to do${esbuild.why}`,
    async () => {
      const esm = project("module");
      expect(await fails(esm, await bundle(esm, IN_ESM))).toMatch(
        /lease-worker\.js is not there.*--packages=external/,
      );
      const cjs = project("commonjs");
      expect(await fails(cjs, await bundle(cjs, ["--format=cjs"]))).toMatch(
        /CommonJS.*--packages=external/,
      );
    },
    MINUTES,
  );

  test(
    "compiled by tsc",
    async () => {
      const dir = project("module");
      const options = ["--outDir", "dist", "--module", "nodenext", "--target", "es2024"];
      const lax = ["--noResolve", "--noCheck"];
      await succeed([TSC, "worker.ts", ...options, ...lax], dir);
      await works(dir, [process.execPath, join(dir, "dist", "worker.js")]);
    },
    MINUTES,
  );

  test.skipIf(tsx.why !== "")(
    `run by tsx${tsx.why}`,
    async () => {
      const dir = project("module");
      await works(dir, [tsx.path, "worker.ts"], [tsx.path, "producer.ts"]);
    },
    MINUTES,
  );

  for (const { version, path, why } of OTHER_NODES)
    test.skipIf(why !== "")(
      `a worker, a producer and an index of jobs on Node ${version}${why}`,
      async () => {
        expect((await runCommand([path, "--version"], tmpdir())).output.trim()).toBe(`v${version}`);
        const dir = project("module");
        await works(dir, [path, "worker.ts"], [path, "producer.ts"], [path, "index-reader.ts"]);
      },
      MINUTES,
    );

  test.skipIf(bun.why !== "")(
    `a worker and a producer under Bun${bun.why}`,
    async () => {
      const dir = project("module");
      await works(dir, [bun.path, "worker.ts"], [bun.path, "producer.ts"]);
    },
    MINUTES,
  );

  test.skipIf(deno.why !== "")(
    `a worker and a producer under Deno${deno.why}`,
    async () => {
      const dir = project("module");
      const run = [deno.path, "run", "--allow-all", "--node-modules-dir=manual"];
      await works(dir, [...run, "worker.ts"], [...run, "producer.ts"]);
    },
    MINUTES,
  );
});
