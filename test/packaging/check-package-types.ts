import { join, resolve } from "node:path";
import { type Ran, runCommand } from "./run-command.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** What `pnpm packages` asks attw about packed packages. */
export function checkPackageTypes(tarballs: readonly string[]): Promise<Ran> {
  const script = join(ROOT, "scripts/check-package-types.mjs");
  return runCommand([process.execPath, script, ...tarballs], ROOT);
}
