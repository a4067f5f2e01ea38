// Installs packed packages and what they depend on in production, from the lockfile of the
// repository and nothing else.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Fills `app/node_modules` and writes `app/sbom.cdx.json` beside it.
 *
 * pnpm resolves for `app` alone, with the repository's lockfile as what it prefers, and compares
 * each archive with its integrity. Then the result is held against the repository's lockfile: what
 * is not in it, or has another integrity, ends the build. No script of a package is run.
 *
 * @param {object} options
 * @param {string} options.app the folder to fill
 * @param {string} options.lockfile the repository's `pnpm-lock.yaml`
 * @param {string} options.packageManager as in the repository's `package.json`: `pnpm@<version>`
 * @param {readonly { name: string, version: string, file: string }[]} options.ours packed packages
 * @param {Readonly<Record<string, string>>} options.extra packages that ours take where they are
 *   there
 * @returns {number} how many packages of the lockfile were installed
 */
export function installLocked({ app, lockfile, packageManager, ours, extra }) {
  const files = Object.fromEntries(ours.map(({ name, file }) => [name, `file:${file}`]));
  mkdirSync(app, { recursive: true });
  writeManifest(app, { ...files, ...extra });
  // Flat, as `npm install` lays it out: an image that is built FROM this one may go on with npm.
  const settings = {
    nodeLinker: "hoisted",
    ignoreScripts: true,
    // Else pnpm asks the registry about all that the lockfile names, 900 packages, and one answer
    // that fails ends it. The lockfile was judged when the repository was installed.
    trustLockfile: true,
    overrides: files,
  };
  writeFileSync(join(app, "pnpm-workspace.yaml"), JSON.stringify(settings));
  copyFileSync(lockfile, join(app, "pnpm-lock.yaml"));
  const pnpm = (stdout, ...args) =>
    execFileSync("npx", ["--yes", packageManager, ...args], {
      cwd: app,
      stdio: ["ignore", stdout, "inherit"],
    });
  // What it says of its work is for whoever looks why a build failed.
  pnpm(process.stderr, "install", "--prod", "--no-frozen-lockfile");

  const installed = requireLocked(
    readFileSync(join(app, "pnpm-lock.yaml"), "utf8"),
    readFileSync(lockfile, "utf8"),
  );
  const sbom = ["--sbom-format", "cyclonedx", "--sbom-spec-version", "1.6"];
  const bom = JSON.parse(pnpm("pipe", "sbom", ...sbom, "--sbom-type", "application", "--prod"));
  writeFileSync(join(app, "sbom.cdx.json"), `${JSON.stringify(finished(bom), undefined, 2)}\n`);

  // What the files of the build stage are called, and how it was installed, is nobody's business
  // later.
  writeManifest(app, {
    ...Object.fromEntries(ours.map(({ name, version }) => [name, version])),
    ...extra,
  });
  for (const left of ["pnpm-workspace.yaml", "pnpm-lock.yaml", "node_modules/.pnpm"])
    rmSync(join(app, left), { recursive: true });
  for (const left of [".modules.yaml", ".pnpm-workspace-state-v1.json", ".package-lock.json"])
    rmSync(join(app, "node_modules", left), { force: true });
  leaveOutUnread(join(app, "node_modules"));
  return installed;
}

/**
 * Source maps, types, sources in TypeScript, pages, tests; builds for browsers, bundlers and
 * development.
 */
const UNREAD =
  /\.(map|[cm]?ts|tsbuildinfo|md|html)$|\.(umd|min|development)\.|\.esm\.js$|\.test\.[cm]?js$/;
/** Folders of packages that hold nothing else. Licences lie in a package's own folder, and stay. */
const UNREAD_FOLDERS = /^(\.github|amd|benchmarks?|cjs-browser|dist\.umd|docs|examples?|tests?)$/;
const INCUBATING = "@opentelemetry/semantic-conventions/dist";
/** The same by their place: elsewhere folders of these names are read. */
const UNREAD_PLACES = [
  ...["luxon/src", "luxon/build/global", "protobufjs/dist", "yaml/browser"],
  // A command that a dependency brings and nobody starts, and what the library of that says.
  ...["@grpc/proto-loader/build/bin", "yargs/locales"],
  // For a server that speaks gRPC: spans are sent, and nobody is served.
  "@grpc/grpc-js/proto",
  // For browsers, and pictures.
  ...["pino/browser.js", "pino/favicon.ico", "pino-pretty/demo.png"],
  // For CommonJS, where everything here that asks for them is ESM.
  "hono/dist/cjs",
  ...[
    "index-incubating",
    "experimental_attributes",
    "experimental_events",
    "experimental_metrics",
  ].map((name) => `${INCUBATING}/${name}.cjs`),
];

/** Takes away what Node never reads: more than half of what is installed. */
function leaveOutUnread(folder) {
  for (const place of UNREAD_PLACES) rmSync(join(folder, place), { recursive: true, force: true });
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    // The command shows its own pages.
    if (path.startsWith(join(folder, "millrace", "dist", "docs"))) continue;
    const unread = entry.isDirectory() ? UNREAD_FOLDERS : UNREAD;
    if (unread.test(entry.name) && !/^licen[cs]e/i.test(entry.name))
      rmSync(path, { recursive: true, force: true });
  }
}

/**
 * Whether all that one lockfile names is in another, with the same integrity; packed files aside.
 *
 * @param {string} installed
 * @param {string} locked
 * @returns {number} how many there are
 * @throws {Error} naming the first that is not
 */
export function requireLocked(installed, locked) {
  const known = integrities(locked);
  const found = [...integrities(installed)].filter(([name]) => !name.includes("@file:"));
  if (found.length === 0) throw new Error("the lockfile of the installation names no package");
  for (const [name, integrity] of found) {
    const expected = known.get(name);
    if (expected === undefined) throw new Error(`${name} is not in pnpm-lock.yaml`);
    if (expected !== integrity)
      throw new Error(`${name} has the integrity ${integrity}, and pnpm-lock.yaml has ${expected}`);
  }
  return found.length;
}

/** The integrity of each package in the lockfile's `packages`, by name and version. */
function integrities(lockfile) {
  const packages = lockfile.slice(lockfile.indexOf("\npackages:\n"));
  const entries = packages.matchAll(
    /^ {2}'?([^\s'][^\n']*?)'?:\n {4}resolution: \{integrity: ([^,}]+)/gm,
  );
  return new Map([...entries].map(([, name, integrity]) => [name, integrity]));
}

/** With Node itself, which is in the image too, and without the paths of the build. */
function finished(bom) {
  for (const component of bom.components)
    component.externalReferences = component.externalReferences?.filter(
      ({ url }) => !url.startsWith("file:"),
    );
  const version = process.versions.node;
  const purl = `pkg:generic/node@${version}`;
  const node = { type: "platform", name: "node", version, purl, "bom-ref": purl };
  return { ...bom, components: [node, ...bom.components] };
}

function writeManifest(app, dependencies) {
  const manifest = { name: "app", private: true, type: "module", dependencies };
  writeFileSync(join(app, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
}
