// Fills a folder with what the image runs: the packages as they would be published, and what they depend on in production.
// Runs in the build stage only, at the root of the repository: node deploy/image/assemble.mjs FOLDER
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const app = resolve(process.argv[2] ?? "app");
const packed = resolve(".packed");
const { packageManager } = JSON.parse(readFileSync("package.json", "utf8"));
const pnpm = (...args) => run("npx", ["--yes", packageManager, ...args]);

pnpm("install", "--frozen-lockfile");
run(process.execPath, ["scripts/build.mjs"]);

mkdirSync(packed, { recursive: true });
const ours = readdirSync("packages").map((folder) => {
  const { name, version } = JSON.parse(
    readFileSync(join("packages", folder, "package.json"), "utf8"),
  );
  const file = join(packed, `${folder}.tgz`);
  pnpm("--dir", join("packages", folder), "pack", "--out", file);
  return { name, version, file };
});

mkdirSync(app, { recursive: true });
const manifest = (dependencies, more) =>
  writeFileSync(
    join(app, "package.json"),
    `${JSON.stringify({ name: "app", private: true, type: "module", dependencies, ...more }, undefined, 2)}\n`,
  );
manifest(Object.fromEntries(ours.map(({ name, file }) => [name, `file:${file}`])), {
  overrides: lockedVersions(),
});
run(
  "npm",
  ["install", "--omit=dev", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"],
  app,
);
// What the files of the build stage are called, and where packages were fetched from, is nobody's business later; and an
// `npm install` of an image built FROM this one finds the same packages wanted that are there.
manifest(Object.fromEntries(ours.map(({ name, version }) => [name, version])), {});
rmSync(join(app, "node_modules", ".package-lock.json"));

/** The version of each production dependency that the lockfile names; npm would take the newest that fits. */
function lockedVersions() {
  const versions = new Map();
  const walk = (dependencies = {}) => {
    for (const [name, { version, dependencies: inner }] of Object.entries(dependencies)) {
      if (!version.startsWith("link:") && !version.startsWith("file:"))
        versions.set(name, (versions.get(name) ?? new Set()).add(version));
      walk(inner);
    }
  };
  const projects = JSON.parse(
    pnpm("--filter", "./packages/*", "list", "--prod", "--json", "--depth", "Infinity"),
  );
  for (const { dependencies } of projects) walk(dependencies);
  // Two versions of one package can't both be named by it alone: those are left to npm.
  return Object.fromEntries(
    [...versions]
      .filter(([, found]) => found.size === 1)
      .map(([name, [version]]) => [name, version]),
  );
}

function run(command, args, cwd = ".") {
  return execFileSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
}
