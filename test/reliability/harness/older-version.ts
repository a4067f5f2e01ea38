import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dirname, "../../..");

/**
 * The first state that knew the subjects that are one job's alone. Nodes from before it take them
 * out of the consumers' filters when they start; nothing here runs those. What they do to a queue,
 * and what today's nodes make of it, is in test/client/skipped-ids.test.ts.
 */
const COMMIT = "9d6b1226430ebc9d2f35cf8635f24411becda073";

/** The code of an earlier version, ready to run, or the reason why it is not there. */
export type OlderVersion =
  | { readonly state: "present"; readonly commit: string; lay(): OlderPrograms }
  | { readonly state: "missing"; readonly reason: string };

export interface OlderPrograms {
  /** The programs of this folder's tests, on the older packages. */
  readonly programs: string;
  remove(): void;
}

/** Looks whether this checkout has the history; a shallow clone does not. */
export function olderVersion(): OlderVersion {
  try {
    git("cat-file", "-e", `${COMMIT}^{commit}`);
  } catch (error) {
    const reason = `this checkout has no commit ${COMMIT.slice(0, 7)} (${String(error).split("\n")[0]})`;
    return { state: "missing", reason };
  }
  return { state: "present", commit: COMMIT.slice(0, 7), lay };
}

/**
 * The older packages in a folder of their own, with today's programs and oracle beside them, so
 * that both versions do the same and write one ledger, and with what gives them three replicas in
 * cluster mode. They find each other there, and third-party packages among the installed ones.
 */
function lay(): OlderPrograms {
  const folder = mkdtempSync(join(tmpdir(), "millrace-older-"));
  const archive = git("archive", "--format=tar", COMMIT, "packages");
  execFileSync("tar", ["-x", "-C", folder], { input: archive });
  for (const part of ["reliability/programs", "reliability/oracle", "harness/cluster"])
    cpSync(join(ROOT, "test", part), join(folder, "test", part), { recursive: true });
  for (const name of readdirSync(join(folder, "packages"))) {
    const from = join(folder, "packages", name);
    link(from, join(folder, "node_modules", name === "millrace" ? name : `@millrace/${name}`));
    linkInstalled(join(ROOT, "packages", name), from);
  }
  linkInstalled(join(ROOT, "test"), join(folder, "test"));
  return {
    programs: join(folder, "test/reliability/programs"),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** All that is installed for a package of today, except for Millrace itself. */
function linkInstalled(today: string, older: string): void {
  const modules = join(today, "node_modules");
  if (!existsSync(modules)) return;
  for (const entry of readdirSync(modules)) {
    if (entry === "millrace" || entry === "@millrace" || entry.startsWith(".")) continue;
    link(join(modules, entry), join(older, "node_modules", entry));
  }
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path, "junction");
}

function git(...args: readonly string[]): Buffer {
  return execFileSync("git", args, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 2 ** 28,
  });
}
