import { copyFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { packPackages, type PackedPackage } from "../packaging/packed-packages.ts";
import { runCommand, succeed } from "../packaging/run-command.ts";
import { APP_MB } from "./image-budget.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const LOCKFILE = join(ROOT, "pnpm-lock.yaml");
const SCRIPT = join(ROOT, "deploy/image/install-locked.mjs");

/** Has no code for Node. */
const NOT_FOR_NODE = /^(@types\/|undici-types|hono\/(deno|bun)$|yargs\/browser$)/;
/** What all that is in the image asks for as ESM has no build for CommonJS there. */
const NOT_REQUIRED = /^(hono|@hono\/node-server|@opentelemetry\/semantic-conventions\/incubating$)/;

interface Sbom {
  readonly bomFormat: string;
  readonly components: readonly { readonly purl: string; readonly type: string }[];
}

describe("what the image is installed from", () => {
  let dir: string;
  let packed: readonly PackedPackage[];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "millrace-locked-"));
    cleanUpLater(() => rm(dir, { recursive: true, force: true }));
    packed = await packPackages(dir);
  }, 180_000);

  /** Installs as the build stage does, from this lockfile, in a process of its own. */
  async function install(lockfile: string): Promise<{ app: string; code: number; output: string }> {
    const app = await mkdtemp(join(dir, "app-"));
    onTestFinished(() => rm(app, { recursive: true, force: true }));
    const json = (file: string): Record<string, unknown> =>
      JSON.parse(readFileSync(join(ROOT, file), "utf8")) as Record<string, unknown>;
    const optional = json("packages/telemetry/package.json")["devDependencies"] as Readonly<
      Record<string, string>
    >;
    const options = {
      app,
      lockfile,
      packageManager: json("package.json")["packageManager"],
      ours: packed.map(({ manifest, tarball }) => ({ ...manifest, file: tarball })),
      extra: Object.fromEntries(
        ["@opentelemetry/sdk-node", "pg"].map((one) => [one, optional[one]]),
      ),
    };
    const program = `import { installLocked } from ${JSON.stringify(SCRIPT)};
      console.log("installed", installLocked(${JSON.stringify(options)}));`;
    const ran = await runCommand([process.execPath, "--input-type=module", "-e", program], dir);
    return { app, ...ran };
  }

  it("is the lockfile: every package is in it, the SBOM names each, and the command runs", async () => {
    const { app, code, output } = await install(LOCKFILE);
    expect(output).toMatch(/installed \d+/);
    expect(code).toBe(0);
    expect(await succeed([join(app, "node_modules/.bin/millrace"), "--version"], app)).toMatch(
      /\d+\.\d+\.\d+/,
    );

    const files = readdirSync(join(app, "node_modules"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));
    expect(files.filter((file) => /\.(map|[cm]?ts)$/.test(file))).toEqual([]);
    const whole = [...files, join(app, "sbom.cdx.json"), join(app, "package.json")];
    const mb = whole.reduce((sum, file) => sum + statSync(file).size, 0) / 1e6;
    console.log(`/app: ${mb.toFixed(1)} MB in ${files.length} files`);
    expect(mb).toBeLessThan(APP_MB);
    // Whatever a package can be asked for is still there.
    copyFileSync(join(import.meta.dirname, "import-each-program.ts"), join(app, "each.ts"));
    const each = await succeed([process.execPath, "each.ts"], app);
    rmSync(join(app, "each.ts"));
    const gone = JSON.parse(each) as readonly (readonly [string, string, string])[];
    const missed = gone.filter(
      ([name, how]) => !NOT_FOR_NODE.test(name) && (how === "import" || !NOT_REQUIRED.test(name)),
    );
    expect(missed).toEqual([]);
    const bin = join(app, "node_modules/.bin/millrace");
    const dry = await runCommand([bin, "doctor", "--server", "nats://127.0.0.1:9"], app);
    expect([dry.code, dry.output]).toEqual([3, expect.stringContaining("fail  connection")]);

    const text = readFileSync(join(app, "sbom.cdx.json"), "utf8");
    const { bomFormat, components } = JSON.parse(text) as Sbom;
    expect(bomFormat).toBe("CycloneDX");
    const named = components.map(({ purl }) => decodeURIComponent(purl)).sort();
    expect(named).toContain(`pkg:generic/node@${process.versions.node}`);
    const there = packagesIn(join(app, "node_modules")).map((found) => `pkg:npm/${found}`);
    expect(there.length).toBeGreaterThan(50);
    expect(named.filter((name) => name.startsWith("pkg:npm/"))).toEqual(there.sort());
    // Nothing tells where it was built.
    expect(text + readFileSync(join(app, "package.json"), "utf8")).not.toContain("file:");
    expect(readdirSync(app).sort()).toEqual(["node_modules", "package.json", "sbom.cdx.json"]);
  }, 180_000);

  it("refuses a package whose archive is another than the lockfile says", async () => {
    const lockfile = join(dir, "tampered.yaml");
    const other = `sha512-${"A".repeat(86)}==`;
    writeFileSync(
      lockfile,
      readFileSync(LOCKFILE, "utf8").replace(
        /( {2}pino@[\d.]+:\n {4}resolution: \{integrity: )[^,}]+/,
        `$1${other}`,
      ),
    );
    const { code, output } = await install(lockfile);
    expect(code).not.toBe(0);
    expect(output).toMatch(/pino/);
    expect(output).toMatch(/integrity|checksum/i);
  }, 180_000);

  it("refuses a package that the lockfile does not name", async () => {
    const lockfile = join(dir, "short.yaml");
    const whole = readFileSync(LOCKFILE, "utf8");
    const entry = /\n {2}luxon@[\d.]+:\n {4}resolution: [^\n]+\n/;
    expect(whole).toMatch(entry);
    writeFileSync(lockfile, whole.replace(entry, "\n"));
    const { code, output } = await install(lockfile);
    expect(code).not.toBe(0);
    expect(output).toMatch(/luxon/);
  }, 180_000);
});

/** Name and version of each package in a flat `node_modules`, and in those inside of them. */
function packagesIn(folder: string): string[] {
  const found: string[] = [];
  const names = readdirSync(folder).flatMap((name) =>
    name.startsWith("@")
      ? readdirSync(join(folder, name)).map((inner) => `${name}/${inner}`)
      : name,
  );
  for (const name of names) {
    if (name.startsWith(".")) continue;
    const { version } = JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8")) as {
      readonly version: string;
    };
    found.push(`${name}@${version}`);
    const inner = join(folder, name, "node_modules");
    if (readdirSync(join(folder, name)).includes("node_modules")) found.push(...packagesIn(inner));
  }
  return [...new Set(found)];
}
