import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { payloadInUtf8, plain } from "../../packages/millrace/src/cli/io.ts";
import { main } from "../../packages/millrace/src/cli/main.ts";
import { patient } from "../harness/cluster/mode.ts";
import { startChild, type TestChild } from "../harness/child.ts";

const BIN = fileURLToPath(new URL("../../packages/millrace/src/cli/bin.ts", import.meta.url));

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Standard output as the JSON document it must be; the test says of which form. */
  json<T = unknown>(): T;
}

export interface CommandOptions {
  /** Added to this process's environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: string | Uint8Array;
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
      {
        env: { ...process.env, ...env },
        timeout: patient(30_000),
        ...(cwd === undefined ? {} : { cwd }),
      },
      (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, out, err, json: () => parse(out, err) as never });
      },
    );
    child.stdin?.end(stdin ?? "");
  });
}

/**
 * The command in this process: what most tests ask many times, without a process for each. Colours
 * and real streams are left to those that start one.
 */
export async function millraceHere(
  args: readonly string[],
  { env = {}, stdin = "", cwd = process.cwd() }: CommandOptions = {},
): Promise<CommandResult> {
  const out: Uint8Array[] = [];
  let err = "";
  const code = await main(args, {
    env: { ...process.env, ...env },
    cwd,
    out: (text) => void out.push(Buffer.from(text)),
    err: (text) => void (err += text),
    progress: () => {},
    readStdin: async () => payloadInUtf8(Buffer.from(stdin), "standard input"),
    ask: () => Promise.resolve(undefined),
    paint: plain,
    paintErr: plain,
  });
  const text = Buffer.concat(out).toString("utf8");
  return { code, out: text, err, json: () => parse(text, err) as never };
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
