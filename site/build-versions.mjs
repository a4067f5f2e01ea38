// Builds the site of every version into site/dist: node site/build-versions.mjs
//
// Each release is built by its own tree, so that its pages and its reference are those of its tag.
// This checkout is `next`.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { toldTo, versionsOf } from "./versions.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { MILLRACE_SITE_BASE: base = "/" } = process.env;
const run = (cwd, [program, ...args], env = {}) =>
  execFileSync(program, args, { cwd, env: { ...process.env, ...env }, stdio: "inherit" });
const tags = execFileSync("git", ["tag", "--list"], { cwd: root, encoding: "utf8" }).split("\n");
const versions = versionsOf(tags, base);
const built = mkdtempSync(join(tmpdir(), "millrace-site-"));
const trees = mkdtempSync(join(tmpdir(), "millrace-trees-"));
try {
  for (const version of versions) {
    const tree = version.tag === undefined ? root : checkout(version.tag);
    run(tree, [process.execPath, "site/build.mjs"], toldTo(version, versions));
    cpSync(join(tree, "site/dist"), join(built, version.place.slice(base.length)), {
      recursive: true,
    });
  }
  rmSync(join(root, "site/dist"), { recursive: true, force: true });
  cpSync(built, join(root, "site/dist"), { recursive: true });
} finally {
  rmSync(built, { recursive: true, force: true });
  rmSync(trees, { recursive: true, force: true });
  run(root, ["git", "worktree", "prune"]);
}
console.log(versions.map(({ name, place }) => `${name} at ${place}`).join("\n"));

/** A release's own tree, with its own packages. */
function checkout(tag) {
  const tree = join(trees, tag);
  run(root, ["git", "worktree", "add", "--quiet", "--detach", tree, tag]);
  run(tree, ["npx", "--yes", "pnpm@12.21.0", "install", "--frozen-lockfile", "--prefer-offline"]);
  return tree;
}
