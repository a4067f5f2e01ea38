import { tmpdir } from "node:os";
import { runCommand } from "./run-command.ts";

/** A program out of an npm package, and why it can't be had where it can't. */
export async function obtained(
  name: string,
  version: string,
): Promise<{ path: string; why: string }> {
  const command = ["npx", "--yes", `--package=${name}@${version}`, "--call", `command -v ${name}`];
  const found = await runCommand(command, tmpdir());
  const path = found.output.trim().split("\n").at(-1) ?? "";
  const works = found.code === 0 && (await runCommand([path, "--version"], tmpdir())).code === 0;
  const output = found.output.replace(/\s+/g, " ").slice(0, 150);
  return works ? { path, why: "" } : { path, why: ` (not to be had here: ${output})` };
}
