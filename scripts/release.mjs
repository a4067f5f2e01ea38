// Publishes what the registry does not have. `--help` says more.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readOptions } from "./read-options.mjs";
import { isSiteAddress } from "./site-address.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const USAGE = `node scripts/release.mjs [options]

Publishes what the registry does not have.

  --provenance      signs where each package was built. It needs a CI that can sign, and a repository that the packages name
  --repository URL  is written into each package.json first. It must be the one that the CI runs in
  --site URL        of the documentation's site, is written there as the homepage. The \`help\` of each error then leads to its entry on that site
  --dry-run         says what would be done, and changes nothing
  --help            this`;
const values = readOptions("release", USAGE, {
  provenance: { type: "boolean", default: false },
  repository: { type: "string" },
  site: { type: "string" },
  "dry-run": { type: "boolean", default: false },
});
/** By which a CI hands out the identity that a provenance is signed with. */
const IDENTITIES = ["ACTIONS_ID_TOKEN_REQUEST_URL", "SIGSTORE_ID_TOKEN"];

const manifests = readdirSync(join(root, "packages")).map((folder) => {
  const file = join(root, "packages", folder, "package.json");
  return { folder, file, manifest: JSON.parse(readFileSync(file, "utf8")) };
});
const { repository, site } = values;
/** What is written into the package.json of a folder: what the project doesn't know by itself. */
const added = (folder) => ({
  ...(repository === undefined
    ? {}
    : { repository: { type: "git", url: repository, directory: `packages/${folder}` } }),
  ...(site === undefined ? {} : { homepage: site }),
});

if (site !== undefined && !isSiteAddress(site))
  refuse(
    `--site must be where the site begins, as https://…/ with a slash at its end; got ${site}`,
  );
if (values.provenance) {
  const nameless = manifests.filter(({ manifest }) => manifest.repository === undefined);
  if (repository === undefined && nameless.length > 0)
    refuse(
      `A provenance needs a repository, and ${nameless[0].manifest.name} names none. Give --repository git+https://…`,
    );
  if (!IDENTITIES.some((name) => (process.env[name] ?? "") !== ""))
    refuse(
      `A provenance is signed by a CI: none of ${IDENTITIES.join(", ")} is set. In GitHub Actions give the workflow "id-token: write".`,
    );
}
for (const { folder, file, manifest } of manifests) {
  if (repository !== undefined) console.log(`${manifest.name}: repository ${repository}`);
  if (site !== undefined) console.log(`${manifest.name}: homepage ${site}`);
  if (!values["dry-run"])
    writeFileSync(file, `${JSON.stringify({ ...manifest, ...added(folder) }, undefined, 2)}\n`);
}
const publish = ["npx", ["--yes", "@changesets/cli@3.0.3", "publish"]];
// Changesets publishes with pnpm, which reads npm's own settings no more.
const env = values.provenance ? { PNPM_CONFIG_PROVENANCE: "true" } : {};
if (values["dry-run"]) {
  const given = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  console.log(
    values.provenance
      ? `would publish with a provenance: ${given.join(" ")}`
      : "would publish without a provenance",
  );
  process.exit(0);
}
step(process.execPath, ["scripts/check.mjs", "--required"]);
step(...publish, env);

function step(command, args, extra = {}) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...extra },
  });
  if (status !== 0) process.exit(status ?? 1);
}

function refuse(why) {
  console.error(why);
  process.exit(1);
}
