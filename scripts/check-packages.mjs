// Packs each package as npm would publish it, then looks at it from outside: publint
// and attw on the tarball, and a project that imports every export by its published name, compiled
// by tsc and run by Node. (attw brings a TypeScript of its own; the project asks the one that
// Millrace supports.)
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const project = mkdtempSync(join(tmpdir(), "millrace-consumer-"));
const complaints = [];
const tarballs = [];
const imports = [];

try {
  for (const folder of readdirSync(join(root, "packages")))
    await publishAndLook(join(root, "packages", folder));
  checkTypes();
  compileAndRun();
} finally {
  rmSync(project, { recursive: true, force: true });
}
for (const complaint of complaints) console.error(complaint);
process.exit(complaints.length > 0 ? 1 : 0);

async function publishAndLook(pkgDir) {
  const packed = join(project, "packed");
  mkdirSync(packed, { recursive: true });
  run("npx", ["--yes", packageManager, "pack", "--pack-destination", packed], pkgDir);
  const [file] = readdirSync(packed);
  const tarball = readFileSync(join(packed, file));
  run("tar", ["-xzf", join(packed, file), "-C", packed], project);
  const kept = join(project, file);
  run("mv", [join(packed, file), kept], project);
  tarballs.push(kept);
  const pkg = JSON.parse(readFileSync(join(packed, "package", "package.json"), "utf8"));

  const there = join(packed, "package");
  for (const name of readdirSync(there, { recursive: true }).map(String)) {
    if (name.endsWith(".tsbuildinfo")) complaints.push(`${pkg.name}: ${name} is nobody's business`);
    // Sources are not packed beside it.
    if (!/\.[cm]?js\.map$/.test(name)) continue;
    const { sources, sourcesContent = [] } = JSON.parse(readFileSync(join(there, name), "utf8"));
    // A file that only names what others hold has none.
    if (sourcesContent.length < sources.length)
      complaints.push(`${pkg.name}: ${name} holds no sources`);
  }

  const { messages } = await publint({
    pack: { tarball: Uint8Array.from(tarball).buffer },
    strict: true,
  });
  complaints.push(...messages.map((message) => `${pkg.name}: ${formatMessage(message, pkg)}`));

  const home = join(project, "node_modules", pkg.name);
  mkdirSync(dirname(home), { recursive: true });
  run("mv", [join(packed, "package"), home], project);
  for (const dependency of Object.keys({ ...pkg.dependencies, ...pkg.peerDependencies })) {
    if (dependency === "millrace" || dependency.startsWith("@millrace/")) continue;
    const link = join(project, "node_modules", dependency);
    mkdirSync(dirname(link), { recursive: true });
    rmSync(link, { force: true });
    symlinkSync(realpathSync(join(pkgDir, "node_modules", dependency)), link);
  }
  for (const path of Object.keys(pkg.exports)) {
    // A thread does its work where it is imported: tests of bundles start it as a thread.
    if (path.endsWith("-worker")) continue;
    if (!path.includes("*") && !path.endsWith(".json")) imports.push(join(pkg.name, path));
  }
}

function checkTypes() {
  try {
    run(process.execPath, [join(root, "scripts/check-package-types.mjs"), ...tarballs], root);
  } catch (error) {
    complaints.push(String(error.stderr).trimEnd());
  }
}

function compileAndRun() {
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
  writeFileSync(
    join(project, "all.ts"),
    imports.map((name, i) => `export * as m${i} from "${name}";\n`).join(""),
  );
  writeFileSync(
    join(project, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        module: "nodenext",
        target: "es2024",
        lib: ["es2024", "esnext.disposable"],
        strict: true,
        noEmit: true,
        types: ["node"],
        typeRoots: [join(root, "node_modules/@types")],
      },
      files: ["all.ts"],
    }),
  );
  try {
    run(join(root, "node_modules/.bin/tsc"), ["-p", "."], project);
  } catch (error) {
    // Other people's declarations are not ours to judge.
    const ours = String(error.stdout)
      .split("\n")
      .filter((line) => /^(all\.ts|node_modules\/(@millrace\/|millrace\/))/.test(line));
    complaints.push(...ours);
  }
  try {
    run(process.execPath, ["all.ts"], project);
  } catch (error) {
    complaints.push(`importing the published packages failed: ${error.stderr}`);
  }
}

function run(command, args, cwd) {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
