import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { copyContext } from "./image-context.ts";
import { succeed } from "./run-command.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** As a release writes it (`pnpm release --site`); nothing asks for it. */
export const HOMEPAGE = "https://millrace.example/docs/";

const STARTED_AT = Date.now();

export interface PackedPackage {
  readonly manifest: {
    readonly name: string;
    readonly version: string;
    readonly exports?: Readonly<Record<string, unknown>>;
  };
  readonly tarball: string;
}

/**
 * Builds every package and packs it as `pnpm publish` would. In a copy, so that neither the working
 * tree's `dist` nor another run is touched; the dependencies are linked, for the build alone needs
 * them.
 */
export async function packPackages(dir: string): Promise<readonly PackedPackage[]> {
  const copy = join(dir, "workspace");
  // So each test of them shows too that the image is built from enough.
  copyContext(copy, { linked: true });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  const folders = readdirSync(join(copy, "packages"));
  for (const folder of folders) stamp(join(copy, "packages", folder, "package.json"));
  await succeed([process.execPath, "scripts/build.mjs"], copy);

  const { packageManager } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    readonly packageManager: string;
  };
  const packed: PackedPackage[] = [];
  for (const folder of folders) {
    const destination = join(dir, "packed", folder);
    await mkdir(destination, { recursive: true });
    const pack = ["npx", "--yes", packageManager, "pack", "--pack-destination", destination];
    await succeed(pack, join(copy, "packages", folder));
    const [file = ""] = readdirSync(destination);
    const tarball = join(destination, file);
    const manifest = await succeed(["tar", "-xzOf", tarball, "package/package.json"], destination);
    packed.push({ manifest: JSON.parse(manifest) as PackedPackage["manifest"], tarball });
  }
  return packed;
}

/**
 * A version of this run alone: package managers know a package by its version, and would take an
 * earlier run's build from their caches. And the homepage, which only a release writes.
 */
function stamp(file: string): void {
  const manifest = JSON.parse(readFileSync(file, "utf8")) as PackedPackage["manifest"];
  const version = `${manifest.version}-run.${STARTED_AT}`;
  writeFileSync(file, JSON.stringify({ ...manifest, version, homepage: HOMEPAGE }));
}
