// Fills a folder with what the image runs: the packages as they would be published, and what they
// depend on in production. Runs in the build stage only, at the root of the repository: node
// deploy/image/assemble.mjs FOLDER
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { installLocked } from "./install-locked.mjs";

const app = resolve(process.argv[2] ?? "app");
const packed = resolve(".packed");
const { packageManager } = JSON.parse(readFileSync("package.json", "utf8"));
const pnpm = (...args) => run("npx", ["--yes", packageManager, ...args]);

// What is built here, and no other project that the lockfile names: of those only some files are
// here.
pnpm("install", "--frozen-lockfile", "--filter", "{.}", "--filter", "./packages/*");
run(process.execPath, ["scripts/build.mjs"]);

mkdirSync(packed, { recursive: true });
// What makes projects has nothing to do in an image.
const folders = readdirSync("packages").filter((folder) => folder !== "create-millrace");
const ours = folders.map((folder) => {
  const { name, version } = JSON.parse(
    readFileSync(join("packages", folder, "package.json"), "utf8"),
  );
  const file = join(packed, `${folder}.tgz`);
  pnpm("--dir", join("packages", folder), "pack", "--out", file);
  return { name, version, file };
});

/**
 * Optional for who installs the packages; an image is to export as it is, and to keep records where
 * they are wanted.
 */
const { devDependencies } = JSON.parse(readFileSync("packages/telemetry/package.json", "utf8"));
const extra = Object.fromEntries(
  ["@opentelemetry/sdk-node", "pg"].map((name) => [name, devDependencies[name]]),
);
const count = installLocked({
  app,
  lockfile: resolve("pnpm-lock.yaml"),
  packageManager,
  ours,
  extra,
});
console.log(`${count} packages of the lockfile`);

function run(command, args) {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}
