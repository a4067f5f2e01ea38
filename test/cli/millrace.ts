import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startChild, type TestChild } from "../harness/child.ts";

const BIN = fileURLToPath(new URL("../../packages/millrace/src/cli/bin.ts", import.meta.url));

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Standard output as the JSON document it must be; the test says of which form. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- saves a cast at every use
  json<T = unknown>(): T;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
}

/** The command in a process of its own, to its end. */
export function millrace(
  args: readonly string[],
  { env = {}, stdin, cwd }: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [BIN, ...args],
      { env: { ...process.env, ...env }, timeout: 30_000, ...(cwd === undefined ? {} : { cwd }) },
      (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, out, err, json: () => parse(out, err) as never });
      },
    );
    child.stdin?.end(stdin ?? "");
  });
}

/** A command that runs until it is told to stop. */
export function startMillrace(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): TestChild {
  return startChild(BIN, { args, env });
}

function parse(out: string, err: string): unknown {
  try {
    return JSON.parse(out) as unknown;
  } catch (cause) {
    throw new Error(`stdout is no JSON document: ${JSON.stringify(out)}; stderr: ${err}`, {
      cause,
    });
  }
}
