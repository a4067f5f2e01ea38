// Asks the registry whether anything that users install has a known vulnerability: node
// scripts/audit.mjs [--required]
//
// Exit code 0: nothing is known. 1: something is. 2: the registry did not say; with --required, as
// before a release, that is 1 as well. MILLRACE_AUDIT_REGISTRY names another registry to ask.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const required = process.argv.includes("--required");
/** Another registry than npm is set to, such as one that does answer audits. */
const registry = process.env.MILLRACE_AUDIT_REGISTRY;

const { stdout, stderr } = spawnSync(
  "npx",
  [
    ...["--yes", packageManager, "audit", "--prod", "--json"],
    ...(registry === undefined ? [] : [`--config.registry=${registry}`]),
  ],
  { cwd: root, encoding: "utf8" },
);
const report = reportOf(stdout);
if (report === undefined) {
  const said = stderr.match(/ERR_\w+/)?.[0] ?? "no report";
  console.log(
    `The registry gave no audit (${said}): whether a dependency is vulnerable is not known.`,
  );
  process.exit(required ? 1 : 2);
}
const advisories = Object.values(report.advisories);
for (const {
  module_name,
  severity,
  title,
  vulnerable_versions,
  patched_versions,
  url,
} of advisories)
  console.log(
    `${severity}: ${module_name} ${vulnerable_versions}: ${title} (${url}); mended in ${patched_versions ?? "no version yet"}`,
  );
const { totalDependencies } = report.metadata;
console.log(`${advisories.length} known vulnerabilities in ${totalDependencies} dependencies.`);
process.exit(advisories.length > 0 ? 1 : 0);

function reportOf(text) {
  try {
    const report = JSON.parse(text);
    return typeof report.advisories === "object" && report.metadata !== undefined
      ? report
      : undefined;
  } catch {
    return undefined;
  }
}
