import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MillraceError } from "@millrace/core";
import type { CliIo } from "./io.ts";

/**
 * Lets a person edit a text in `$VISUAL` or `$EDITOR`. The file is readable by its owner alone, and
 * gone afterwards.
 *
 * @throws MillraceError `invalid-option` where there is no editor, or it ended with an error
 */
export async function editText(io: CliIo, text: string, name: string): Promise<string> {
  const editor = [io.env["VISUAL"], io.env["EDITOR"]].find(
    (found) => found !== undefined && found.trim() !== "",
  );
  if (editor === undefined)
    throw new MillraceError(
      "invalid-option",
      "There is no editor: set VISUAL or EDITOR, or give the payload as an argument, - or @FILE.",
    );
  const dir = await mkdtemp(join(tmpdir(), "millrace-edit-"));
  const file = join(dir, name.replaceAll(/[^\w.-]/g, "_"));
  try {
    await writeFile(file, text, { mode: 0o600 });
    const [program = "", ...args] = editor.trim().split(/\s+/);
    const child = spawn(program, [...args, file], { stdio: "inherit" });
    const ended = await new Promise<string>((resolve) => {
      child.once("error", ({ message }) => resolve(`could not be started (${message})`));
      child.once("exit", (code) => resolve(`ended with code ${code}`));
    });
    if (ended !== "ended with code 0")
      throw new MillraceError("invalid-option", `The editor ${editor} ${ended}; nothing was done.`);
    return await readFile(file, "utf8");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
