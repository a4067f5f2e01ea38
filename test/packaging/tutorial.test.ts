import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { startChild, type TestChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer, serversUnderTest } from "../harness/servers.ts";
import { startLocalRegistry } from "./local-registry.ts";
import { packPackages, type PackedPackage } from "./packed-packages.ts";
import { succeed } from "./run-command.ts";
import { steady, type Step, stepsOf } from "./typed-page.ts";

const PAGE = readFileSync(resolve(import.meta.dirname, "../../docs/tutorial.md"), "utf8");
/** What the page promises is three minutes. This says that it hangs, not that it is slow. */
const FIRST_JOB_WITHIN_MS = 180_000;

describeServer(
  "the tutorial, typed into an empty folder",
  "newest",
  () => {
    let dir: string;
    let reader: Reader;

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), "millrace-tutorial-"));
      cleanUpLater(() => rm(dir, { recursive: true, force: true }));
      const packed = await packPackages(dir);
      reader = new Reader(join(dir, "my-jobs"), packed, await startLocalRegistry(packed));
      await mkdir(reader.folder);
    }, 300_000);

    it("runs every command as the page says, and its worker as the container would", async () => {
      const steps = stepsOf(PAGE);
      expect(new Set(steps.map(({ kind }) => kind)).size).toBe(4);
      const startedAt = performance.now();
      let firstJobMs: number | undefined;
      for (const step of steps) {
        await reader.take(step);
        if (step.kind === "see") firstJobMs ??= performance.now() - startedAt;
      }
      console.log(`the first job had run after ${((firstJobMs ?? 0) / 1000).toFixed(1)} s`);
      expect(firstJobMs).toBeLessThan(FIRST_JOB_WITHIN_MS);
      await reader.runAsContainer(join(dir, "container"));
      await reader.leave();
    }, 300_000);
  },
  { singleServer: "the tutorial starts a server of its own" },
);

/** Somebody who does what the page says, in one folder. */
class Reader {
  readonly folder: string;
  readonly #registry: string;
  readonly #tarball: string;
  readonly #running: TestChild[] = [];
  #env: Readonly<Record<string, string>>;
  #typed = "";
  #output = "";

  constructor(folder: string, packed: readonly PackedPackage[], registry: string) {
    this.folder = folder;
    this.#registry = registry;
    this.#tarball = packed.find(({ manifest }) => manifest.name === "millrace")?.tarball ?? "";
    const server = serversUnderTest().find(({ generation }) => generation === "newest");
    // Other tests have the usual ports; the program is there already.
    this.#env = {
      ...{ PORT: "0", MILLRACE_UI_PORT: "0", NO_COLOR: "1" },
      ...(server?.state === "present" ? { NATS_SERVER: server.path } : {}),
    };
  }

  async take(step: Step): Promise<void> {
    if (step.kind === "write") {
      writeFileSync(join(this.folder, basename(step.file)), step.text);
    } else if (step.kind === "type") {
      this.#typed = step.line;
      this.#output = await this.#run(step.line);
    } else if (step.kind === "leave") {
      await this.#start(step.line, step.ready);
    } else {
      await this.#see(step.text);
    }
  }

  /** What the Containerfile says, without the container: its files, its RUN, its CMD. */
  async runAsContainer(folder: string): Promise<void> {
    const file = readFileSync(join(this.folder, "Containerfile"), "utf8");
    await mkdir(folder);
    for (const [, names = ""] of file.matchAll(/^COPY (.+) \.\/$/gm))
      for (const name of names.split(" "))
        copyFileSync(join(this.folder, name), join(folder, name));
    for (const [, line = ""] of file.matchAll(/^RUN (.+)$/gm)) await this.#run(line, folder);
    const words = JSON.parse(/^CMD (.+)$/m.exec(file)?.[1] ?? "[]") as readonly string[];
    expect(words[0]).toBe("node");
    const worker = startChild(join(folder, words[1] ?? ""), { cwd: folder, env: this.#env });
    await worker.line(/^The worker runs/, 30_000);
    worker.signal("SIGTERM");
    expect(await worker.exit(90_000)).toEqual({ code: 0, signal: null });
  }

  /** Ctrl-C in each terminal, the last one first. */
  async leave(): Promise<void> {
    for (const child of this.#running.toReversed()) {
      child.signal("SIGINT");
      expect(await child.exit(90_000)).toEqual({ code: 0, signal: null });
    }
  }

  /** What is typed comes from the tarball, and its parts from a registry that has only these. */
  #run(line: string, cwd = this.folder): Promise<string> {
    if (!existsSync(join(cwd, ".npmrc")))
      writeFileSync(join(cwd, ".npmrc"), `@millrace:registry=${this.#registry}\naudit=false\n`);
    const typed = line.replace(/^npm install millrace$/, `npm install ${this.#tarball}`);
    return succeed(["sh", "-c", typed], cwd, this.#env);
  }

  async #start(line: string, ready: RegExp): Promise<void> {
    // A signal has to reach the command itself, and not the npx in front of it.
    const [program = "", ...args] = line
      .replace(/^npx millrace/, BIN)
      .split(" ")
      .slice(0);
    const words = program === "node" ? args : [program, ...args];
    const child = startChild(join(this.folder, words[0] ?? ""), {
      args: words.slice(1),
      cwd: this.folder,
      env: { ...this.#env, MILLRACE_HEALTH_PORT: "0" },
    });
    this.#running.push(child);
    await child.line(ready, 60_000);
    const server = child
      .output()
      .join("\n")
      .match(/server +(nats:\S+)/)?.[1];
    if (server !== undefined) this.#env = { ...this.#env, MILLRACE_SERVER: server };
  }

  /** A command that looks is typed again until the job has come so far. */
  async #see(text: string): Promise<void> {
    const wanted = steady(text);
    const repeatable = /^npx millrace (jobs get|dead list)/.test(this.#typed);
    if (!repeatable) return void expect(steady(this.#output)).toBe(wanted);
    await eventually(
      async () => {
        this.#output = await this.#run(this.#typed);
        return steady(this.#output) === wanted;
      },
      { withinMs: 60_000, describe: () => `${this.#typed} shows\n${text}\nnot\n${this.#output}` },
    );
  }
}

const BIN = "node_modules/millrace/dist/bin.js";
