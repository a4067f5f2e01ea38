import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MillraceError } from "@millrace/core";
import { type CliIo, payloadInUtf8 } from "./io.ts";

/** From outside, and of a terminal that goes: the payload is not left behind. */
const ENDS = ["SIGTERM", "SIGHUP"] as const;

/**
 * Lets a person edit a text in `$VISUAL` or `$EDITOR`. The file is readable by its owner alone, and
 * gone afterwards.
 *
 * @throws MillraceError `invalid-option` where there is no editor, or it ended with an error;
 *   `invalid-payload` where it saved no UTF-8
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
    const ended = await runEditor(() => spawn(program, [...args, file], { stdio: "inherit" }), dir);
    if (ended !== "ended with code 0")
      throw new MillraceError("invalid-option", `The editor ${editor} ${ended}; nothing was done.`);
    return payloadInUtf8(await readFile(file), "what the editor saved");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/**
 * A terminal's Ctrl-C is the editor's alone from before its first moment.
 *
 * @returns how it ended
 */
async function runEditor(start: () => ChildProcess, dir: string): Promise<string> {
  let editor: ChildProcess | undefined;
  const ignore = (): void => {};
  const end = (signal: NodeJS.Signals): void => {
    editor?.kill(signal);
    rmSync(dir, { recursive: true, force: true });
    letGo();
    process.kill(process.pid, signal);
  };
  const letGo = (): void => {
    process.off("SIGINT", ignore);
    for (const signal of ENDS) process.off(signal, end);
  };
  process.on("SIGINT", ignore);
  for (const signal of ENDS) process.on(signal, end);
  try {
    const started = start();
    editor = started;
    return await new Promise<string>((resolve) => {
      started.once("error", ({ message }) => resolve(`could not be started (${message})`));
      started.once("exit", (code, signal) =>
        resolve(code === null ? `was ended by ${signal}` : `ended with code ${code}`),
      );
    });
  } finally {
    letGo();
  }
}
