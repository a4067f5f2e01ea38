// What a linter cannot see: who may import whom, what a package gives away, and where time may be
// read. Own code because the usual tool (dependency-cruiser) needs TypeScript's JavaScript API,
// which TypeScript 7 no longer has.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { fileCycles } from "./file-cycles.mjs";
import { folderCycles } from "./folder-cycles.mjs";
import { largeFolders } from "./folder-sizes.mjs";
import { withoutComments } from "./imports.mjs";

/** The packages each package may import, by folder name. */
export const ARROWS = {
  core: [],
  "broker-nats": ["core"],
  "nats-server": ["core"],
  testkit: ["core"],
  runtime: ["core"],
  telemetry: ["core"],
  outbox: ["core"],
  dashboard: ["core", "telemetry"],
  millrace: [
    "core",
    "broker-nats",
    "nats-server",
    "runtime",
    "telemetry",
    "outbox",
    "dashboard",
    "testkit",
  ],
  "create-millrace": [],
};

/** What tests and their fixtures may import besides, in any package: also in
 * `core`, on which it stands. */
const FOR_TESTS = "@millrace/testkit";
const TEST_FILE = /\.(?:test|test-d|fixture)\.ts$|[/\\]fixtures[/\\]/;

/** Outside packages that only one layer may know. */
const RESERVED = [{ prefix: "@nats-io/", packages: ["broker-nats", "nats-server"] }];

/** How the client library gives away headers, and who may ask it. */
const LIBRARY_HEADERS = /\.header\b|\bmsg\.headers\b/;
const READS_HEADERS = /[/\\]read-headers\.ts$|\.test\.ts$/;

/** Packages that take time from the Clock port alone. */
const CLOCKED = ["core", "runtime"];

/**
 * Files of a package that may need one another. A definition's handler gets a context, which takes
 * definitions to enqueue and to call as steps: each of the three types is made of the others.
 */
const CIRCLES = {
  core: ["job/define-job.ts, job/execution-context.ts, steps/steps.ts"],
};

/** Every breach under `packagesDir`, one line each with the file in front. */
export function findBreaches(packagesDir) {
  const breaches = [];
  for (const name of readdirSync(packagesDir)) {
    const sourceDir = join(packagesDir, name, "src");
    if (!existsSync(sourceDir)) continue;
    if (!(name in ARROWS))
      breaches.push(`packages/${name}: has no place among the arrows of check-boundaries`);
    const sourceOf = (file) => withoutComments(readFileSync(file, "utf8"));
    for (const part of ["src", "page"])
      breaches.push(
        ...layoutBreaches(name, join(packagesDir, name, part), sourceOf).map(
          (what) => `packages/${name}/${part}: ${what}`,
        ),
      );
    for (const entry of readdirSync(sourceDir, { recursive: true })) {
      if (!entry.endsWith(".ts")) continue;
      const file = join(sourceDir, entry);
      const shown = relative(dirname(packagesDir), file).split(sep).join("/");
      const source = withoutComments(readFileSync(file, "utf8"));
      const found = [
        ...importBreaches(name, file, source, join(packagesDir, name)),
        ...shapeBreaches(name, file, source),
      ];
      breaches.push(...found.map((what) => `${shown}: ${what}`));
    }
  }
  return breaches;
}

function layoutBreaches(name, dir, sourceOf) {
  if (!existsSync(dir)) return [];
  const circles = fileCycles(dir, sourceOf).filter(
    (files) => CIRCLES[name]?.includes(files) !== true,
  );
  return [
    ...folderCycles(dir, sourceOf),
    ...largeFolders(dir),
    ...circles.map((files) => `import one another: ${files}`),
  ];
}

function* importBreaches(name, file, source, packageDir) {
  const allowed = (ARROWS[name] ?? []).map(packageName);
  for (const [, specifier] of source.matchAll(
    /(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"'\n]+)["']/g,
  )) {
    if (specifier.startsWith(".")) {
      const target = resolve(dirname(file), specifier);
      if (!target.startsWith(packageDir + sep))
        yield `reaches out of its package with "${specifier}"`;
      continue;
    }
    const sibling = /^(@millrace\/[^/]+|millrace)(?=\/|$)/.exec(specifier)?.[1];
    const forTest = sibling === FOR_TESTS && TEST_FILE.test(file);
    if (sibling !== undefined && !forTest && !allowed.includes(sibling))
      yield `must not import "${specifier}"`;
    if (sibling !== undefined && /\/(src|dist)(\/|$)/.test(specifier))
      yield `goes around the exports of "${specifier}"`;
    const reserved = RESERVED.find(({ prefix }) => specifier.startsWith(prefix));
    if (reserved !== undefined && !reserved.packages.includes(name))
      yield `must not import "${specifier}"`;
  }
}

function* shapeBreaches(name, file, source) {
  if (/\bexport\s*\*/.test(source))
    yield "`export *` hides what a package gives away; name the exports";
  // The client library's reader of headers throws on what a server takes, and its time grows by
  // the square of their number.
  if (name === "broker-nats" && !READS_HEADERS.test(file) && LIBRARY_HEADERS.test(source))
    yield "reads headers by the client library; take readHeaders() or headersOf()";
  const ownsTime = /(^|[/\\])[^/\\]*clock/.test(file) || file.endsWith(".test.ts");
  // Date.now, timers and their imports are the linter's; it has no rule for a Date made without an
  // argument.
  if (CLOCKED.includes(name) && !ownsTime && /\bnew\s+Date\s*(\(\s*\)|[;,)\n])/.test(source)) {
    yield "`new Date()` reads the time; take it from the Clock port";
  }
}

const packageName = (folder) => (folder === "millrace" ? "millrace" : `@millrace/${folder}`);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const breaches = findBreaches(join(root, "packages"));
  for (const breach of breaches) console.error(breach);
  process.exit(breaches.length > 0 ? 1 : 0);
}
