// Compiles each package to its `dist`, from nothing, so that no file of an earlier build is
// published.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPage } from "../packages/dashboard/build-page.mjs";
import { bundlePackages } from "./bundle-packages.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
for (const name of readdirSync(join(root, "packages"))) {
  rmSync(join(root, "packages", name, "dist"), { recursive: true, force: true });
}
const { status } = spawnSync(
  process.execPath,
  [join("node_modules", "typescript", "bin", "tsc"), "-b", "tsconfig.build.json"],
  { cwd: root, stdio: "inherit" },
);
if (status !== 0) process.exit(status ?? 1);
await bundlePackages(root);
const assets = join(root, "packages", "dashboard", "dist", "page", "assets");
mkdirSync(assets, { recursive: true });
for (const { path, body } of await buildPage()) writeFileSync(join(assets, path), body);
// The pages come with the command: `millrace docs`.
const pages = join(root, "packages", "millrace", "dist", "docs");
mkdirSync(pages, { recursive: true });
for (const name of readdirSync(join(root, "docs")).filter((file) => file.endsWith(".md")))
  copyFileSync(join(root, "docs", name), join(pages, name));
// A new project begins as the tutorial ends.
const template = join(root, "packages", "create-millrace", "dist", "template");
mkdirSync(template, { recursive: true });
for (const name of readdirSync(join(root, "examples", "tutorial")))
  copyFileSync(join(root, "examples", "tutorial", name), join(template, name));
