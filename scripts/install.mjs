// Installs what the lockfile says, when it has not been installed yet. Plain JavaScript: this runs
// before anything is installed.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const windows = process.platform === "win32";
const stamp = join(root, "node_modules", ".millrace-installed");

/** The Node that the project runs on, from the npm package `node`. */
export const node = join(root, "node_modules", "node", "bin", windows ? "node.exe" : "node");

/** The environment in which every script of the project runs: its own Node first on the PATH. */
export const env = {
  ...process.env,
  PATH: [join(root, "node_modules", ".bin"), process.env.PATH ?? ""].join(delimiter),
};

/**
 * Installs when the lockfile, a manifest or the machine changed since the last install that
 * succeeded.
 */
export async function install() {
  const wanted = fingerprint();
  if (existsSync(node) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  const startedAt = Date.now();
  const pnpm = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager;
  console.error(`millrace: installing the packages of the lockfile with ${pnpm} (once)`);
  const { code, output } = await capture("npx", ["--yes", pnpm, "install", "--frozen-lockfile"]);
  if (code !== 0) {
    console.error(output);
    console.error(
      `millrace: the installation failed (exit code ${code}). It needs npm and a package registry that npm can reach.`,
    );
    process.exit(1);
  }
  if (!existsSync(node)) {
    console.error(
      `millrace: the npm package "node" has no binary for ${process.platform} ${process.arch}.`,
    );
    process.exit(1);
  }
  mkdirSync(dirname(stamp), { recursive: true });
  // As a new file: a tree that was copied by hard links shares the old one.
  writeFileSync(`${stamp}.new`, wanted);
  renameSync(`${stamp}.new`, stamp);
  console.error(`millrace: installed in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
}

/**
 * Runs the project's Node, passes signals on, and resolves with the exit code a shell would report.
 */
export function runNode(args, extraEnv = {}, { stdout = "inherit" } = {}) {
  return new Promise((resolve) => {
    const child = spawn(node, args, {
      cwd: root,
      env: { ...env, ...extraEnv },
      stdio: ["inherit", stdout === "stderr" ? 2 : stdout, "inherit"],
    });
    // An interrupt at the terminal reaches the child by itself; this process only must not end
    // before it.
    process.on("SIGINT", () => {
      if (!process.stdin.isTTY) child.kill("SIGINT");
    });
    for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
    // npm runs a script through a shell, and a SIGTERM to npm ends both without a word to this
    // process.
    const parent = process.ppid;
    setInterval(() => process.ppid !== parent && child.kill("SIGTERM"), 500).unref();
    child.on("error", (error) => {
      console.error(`millrace: ${node} could not be started: ${error.message}`);
      resolve(1);
    });
    child.on("exit", (code, signal) => resolve(code ?? 128 + (signalNumbers[signal] ?? 0)));
  });
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

function fingerprint() {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}\n`);
  const folders = readdirSync(join(root, "packages"));
  const manifests = [
    ".",
    "examples",
    "test",
    "bench",
    ...folders.map((name) => join("packages", name)),
  ];
  const files = [
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    ...manifests.map((name) => join(name, "package.json")),
  ];
  for (const file of files.sort()) {
    const path = join(root, file);
    hash.update(`${file}\n`).update(existsSync(path) ? readFileSync(path) : "");
  }
  return hash.digest("hex");
}

function capture(command, args) {
  return new Promise((resolve) => {
    // npx is a batch file on Windows, which only a shell runs.
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      shell: windows,
    });
    let output = "";
    child.stdout.on("data", (bytes) => (output += bytes));
    child.stderr.on("data", (bytes) => (output += bytes));
    child.on("error", (error) => resolve({ code: 1, output: `${command}: ${error.message}` }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
