import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";
import type { Program } from "./driver.ts";

const run = promisify(execFile);
const PRODUCERS = resolve(import.meta.dirname, "producers");
const CACHE = resolve(import.meta.dirname, "../../.millrace/cache/wire");
/** A cold build of the Rust client takes a minute of an idle machine, and several of a busy one. */
const SETUP_MS = 900_000;

/** A foreign program ready to run, or why there is none on this machine. */
export type Toolchain =
  | { readonly state: "ready"; readonly program: Program }
  | { readonly state: "missing"; readonly reason: string };

export interface Language {
  readonly name: string;
  prepare(): Promise<Program>;
}

export const javascript: Language = {
  name: "JavaScript, nats 2.x",
  prepare: () =>
    Promise.resolve({
      command: process.execPath,
      args: ["driver.mjs"],
      cwd: join(PRODUCERS, "javascript"),
    }),
};

export const python: Language = {
  name: "Python, nats-py and msgpack",
  async prepare() {
    const cwd = join(PRODUCERS, "python");
    const version = (await obtain("python3", ["--version"])).trim();
    const packages = await built("python", cwd, ["requirements.txt"], version, async (dir) => {
      const args = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
      await obtain("python3", [...args, "--target", dir, "--requirement", "requirements.txt"], cwd);
    });
    const env = { PYTHONPATH: [packages, cwd].join(delimiter), PYTHONDONTWRITEBYTECODE: "1" };
    return { command: "python3", args: ["driver.py"], cwd, env };
  },
};

export const go: Language = {
  name: "Go, nats.go and vmihailenco/msgpack",
  async prepare() {
    const cwd = join(PRODUCERS, "go");
    const version = (await obtain("go", ["version"])).trim();
    const sources = ["go.mod", "go.sum", "enqueue.go", "main.go"];
    const dir = await built("go", cwd, sources, version, async (target) => {
      await obtain("go", ["mod", "download"], cwd);
      await tool("go", ["build", "-o", join(target, "producer"), "."], cwd);
    });
    return { command: join(dir, "producer"), args: [], cwd };
  },
};

export const java: Language = {
  name: "Java, jnats and jackson-dataformat-msgpack",
  async prepare() {
    const cwd = join(PRODUCERS, "java");
    const version = (await obtain("javac", ["-version"])).trim();
    const sources = ["pom.xml", "Enqueue.java", "Driver.java"];
    const dir = await built("java", cwd, sources, version, async (target) => {
      for (const source of sources) await cp(join(cwd, source), join(target, source));
      const plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
      await obtain("mvn", ["--quiet", "--batch-mode", plugin, "-DoutputDirectory=lib"], target);
      await tool("javac", ["-cp", join("lib", "*"), "Enqueue.java", "Driver.java"], target);
    });
    const classPath = [dir, join(dir, "lib", "*")].join(delimiter);
    return { command: "java", args: ["-cp", classPath, "Driver"], cwd: dir };
  },
};

export const rust: Language = {
  name: "Rust, async-nats and rmp-serde",
  async prepare() {
    const cwd = join(PRODUCERS, "rust");
    const version = (await obtain("cargo", ["--version"])).trim();
    const sources = ["Cargo.toml", "Cargo.lock", "src/enqueue.rs", "src/main.rs"];
    const dir = await built("rust", cwd, sources, version, async (target) => {
      await obtain("cargo", ["fetch", "--quiet", "--locked"], cwd);
      // Dependencies stay compiled in one place, so a change of the producer alone is seconds.
      const work = join(CACHE, "rust-target");
      await tool("cargo", ["build", "--quiet", "--locked", "--offline", "--target-dir", work], cwd);
      await cp(join(work, "debug", "producer"), join(target, "producer"));
    });
    return { command: join(dir, "producer"), args: [], cwd };
  },
};

const NATS_COMMAND = "github.com/nats-io/natscli/nats@v0.5.0";

/** The `nats` command from the PATH, or compiled once where Go is. */
export const natsCommand: Language = {
  name: "NATS CLI",
  async prepare() {
    const found = await tool("nats", ["--version"]).then(
      () => true,
      () => false,
    );
    if (found) return { command: "nats", args: [], cwd: PRODUCERS };
    const version = (await obtain("go", ["version"])).trim();
    const dir = await built("nats", PRODUCERS, [], `${NATS_COMMAND} ${version}`, async (target) => {
      await obtain("go", ["install", NATS_COMMAND], undefined, { GOBIN: target });
    });
    return { command: join(dir, "nats"), args: [], cwd: PRODUCERS };
  },
};

/**
 * Skipping is for what a machine or its network lacks; a program that does not compile is a
 * failure.
 */
class Missing extends Error {}

export async function toolchain(language: Language): Promise<Toolchain> {
  try {
    return { state: "ready", program: await language.prepare() };
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    return { state: "missing", reason: error.message.replace(/\s+/g, " ") };
  }
}

/**
 * A directory made once from these sources with this tool. Made aside and then renamed, so whoever
 * looks finds it whole or not at all, and of two that make it at once the second throws its own
 * away.
 */
async function built(
  name: string,
  from: string,
  sources: readonly string[],
  toolVersion: string,
  make: (dir: string) => Promise<void>,
): Promise<string> {
  const hash = createHash("sha256").update(toolVersion);
  for (const source of sources) hash.update(await readFile(join(from, source)));
  const dir = join(CACHE, `${name}-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(dir)) return dir;
  await mkdir(CACHE, { recursive: true });
  const aside = await mkdtemp(join(CACHE, `.${name}-`));
  try {
    await make(aside);
    await rename(aside, dir);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    if (!existsSync(dir)) throw error;
  }
  return dir;
}

/**
 * Runs what depends on the machine: whether a tool is there, and whether packages can be fetched.
 */
async function obtain(
  command: string,
  args: readonly string[],
  cwd?: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  try {
    return await tool(command, args, cwd, env);
  } catch (error) {
    const { code, stderr = "" } = error as { readonly code?: unknown; readonly stderr?: string };
    const why =
      code === "ENOENT" ? "is not installed" : `${args.join(" ")} failed: ${stderr.slice(-150)}`;
    throw new Missing(`${command} ${why}`, { cause: error });
  }
}

async function tool(
  command: string,
  args: readonly string[],
  cwd?: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const ends = run(command, [...args], {
    timeout: SETUP_MS,
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  giveWay(ends.child.pid);
  return (await ends).stdout;
}

/**
 * A compiler takes what the tests beside it leave of the cores: those have deadlines, it has none.
 */
function giveWay(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended already.
  }
}
