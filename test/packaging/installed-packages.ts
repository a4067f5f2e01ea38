import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startLocalRegistry } from "./local-registry.ts";
import { packPackages } from "./packed-packages.ts";
import { succeed } from "./run-command.ts";

/**
 * Installs Millrace as its users have it: built, packed and installed by npm.
 *
 * @param dir an empty folder
 * @param others packages that a program has beside it, with their versions
 * @returns the `node_modules` to link
 */
export async function installPackages(
  dir: string,
  others: readonly string[] = [],
): Promise<string> {
  const packed = await packPackages(dir);
  const registry = await startLocalRegistry(packed);
  const project = join(dir, "installed");
  await mkdir(project);
  await writeFile(join(project, "package.json"), '{ "private": true }');
  await writeFile(join(project, ".npmrc"), `@millrace:registry=${registry}\naudit=false\n`);
  const millrace = packed.find(({ manifest }) => manifest.name === "millrace");
  await succeed(["npm", "install", "--no-fund", millrace?.tarball ?? "", ...others], project);
  return join(project, "node_modules");
}
