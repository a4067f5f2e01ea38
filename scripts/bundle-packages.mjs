// Makes few files of each package's many: a module of its own costs Node some 20 KB and a read at
// every start, and a node loaded 1,000 of them. Packages stay apart, so that who imports one of
// them gets the same one as the others.
import { readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build, stop } from "esbuild";
import { isSiteAddress } from "./site-address.mjs";

/** Files that are started by their name: as threads, or by a thread. They lie in `dist` itself. */
const STARTED = {
  "broker-nats": ["lease/lease-worker", "lease/thread-lease"],
  millrace: ["search/sqlite/index-worker"],
  runtime: ["thread/thread-main"],
  telemetry: ["records/sqlite/sqlite-worker", "tracing/thread-tracing"],
};
/** The page's assets and the templates are found by the place of their module. */
const AS_COMPILED = ["dashboard", "create-millrace"];

/**
 * Packages of which a part is taken in: the rest of them would be loaded too, the exporter's own
 * server and what Node loads for that, 13 MB. All are licensed under Apache 2.0, as Millrace is.
 */
const TAKEN_IN = {
  telemetry: [
    "@opentelemetry/core",
    "@opentelemetry/exporter-prometheus",
    "@opentelemetry/semantic-conventions",
  ],
};
const NOTICE =
  "/* Holds parts of @opentelemetry/exporter-prometheus and @opentelemetry/core: Copyright The OpenTelemetry Authors, Apache-2.0 */";

/** @param {string} root of the repository, whose packages are compiled */
export async function bundlePackages(root) {
  for (const folder of readdirSync(join(root, "packages"))) {
    if (!AS_COMPILED.includes(folder)) await bundle(join(root, "packages", folder), folder);
  }
  // It would stay beside this process for the next build, which does not come.
  await stop();
}

async function bundle(home, folder) {
  const dist = join(home, "dist");
  const site = siteOf(home);
  const bundled = join(home, "dist-bundled");
  await build({
    absWorkingDir: home,
    entryPoints: entriesOf(home, folder),
    outdir: bundled,
    bundle: true,
    splitting: true,
    plugins: [leaveOut(TAKEN_IN[folder] ?? [])],
    ...(TAKEN_IN[folder] === undefined ? {} : { banner: { js: NOTICE } }),
    // What `help` of an error begins with; without a homepage it names the command.
    ...(site === undefined ? {} : { define: { MILLRACE_SITE: JSON.stringify(site) } }),
    platform: "node",
    format: "esm",
    target: "node22.18",
    sourcemap: true,
    logLevel: "warning",
  });
  for (const name of readdirSync(dist, { recursive: true }).map(String))
    if (/\.js(\.map)?$/.test(name)) rmSync(join(dist, name));
  for (const name of readdirSync(bundled)) renameSync(join(bundled, name), join(dist, name));
  rmSync(bundled, { recursive: true });
  requireStarted(dist);
}

/**
 * Where the documentation's site begins, which a release writes into each package.
 *
 * @throws Error where that is no address of a folder on a web server
 */
function siteOf(home) {
  const { homepage } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  if (homepage === undefined) return undefined;
  if (!isSiteAddress(homepage))
    throw new Error(`homepage of ${home} is ${homepage}; expected https://…/`);
  return homepage;
}

/** @throws Error where a file that a thread runs was left out: `STARTED` has to name it */
function requireStarted(dist) {
  const files = readdirSync(dist).filter((name) => name.endsWith(".js"));
  for (const file of files)
    for (const [, started] of readFileSync(join(dist, file), "utf8").matchAll(
      /\bthreadFile\w*\(import\.meta\.url, "([^"]+)"\)/g,
    ))
      if (!files.includes(`${started}.js`)) throw new Error(`${dist} has no ${started}.js`);
}

/** What the package exports and starts: a file in `dist` for each, by what it was compiled to. */
function entriesOf(home, folder) {
  const { exports: sources, publishConfig } = JSON.parse(
    readFileSync(join(home, "package.json"), "utf8"),
  );
  const entries = {};
  for (const [path, target] of Object.entries(publishConfig.exports))
    entries[nameIn("dist", target.default ?? target)] = compiled(nameIn("src", sources[path]));
  for (const file of STARTED[folder] ?? [])
    entries[file.slice(file.lastIndexOf("/") + 1)] = compiled(file);
  return entries;
}

/** `./dist/masking.js` is `masking` in `dist`. */
function nameIn(folder, file) {
  return file.slice(`./${folder}/`.length).replace(/\.[jt]s$/, "");
}

function compiled(name) {
  return `./dist/${name}.js`;
}

/** Every package is imported where the program runs, but for those that are taken in. */
function leaveOut(takenIn) {
  return {
    name: "packages stay outside",
    setup({ onResolve }) {
      onResolve({ filter: /^[^./#]/ }, ({ path, kind }) =>
        kind === "entry-point" || takenIn.includes(path) ? undefined : { path, external: true },
      );
    },
  };
}
