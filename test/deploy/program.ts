import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** Where a program is: what a variable names, else the PATH, else where `go install` puts it. */
export function findProgram(name: string, variable?: string): string | undefined {
  const named = variable === undefined ? undefined : process.env[variable];
  if (named !== undefined && named !== "") return named;
  const goBin = process.env["GOBIN"] ?? join(process.env["GOPATH"] ?? join(homedir(), "go"), "bin");
  return [...(process.env["PATH"] ?? "").split(delimiter), goBin]
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/** A program to its end: its standard output, or an error with what it said. */
export function runProgram(
  path: string,
  args: readonly string[],
  options: { readonly timeoutMs: number; readonly env?: Readonly<Record<string, string>> },
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      path,
      args,
      {
        timeout: options.timeoutMs,
        maxBuffer: 64 * 1024 * 1024,
        env: { ...process.env, ...options.env },
      },
      (error, out, err) => {
        if (error === null) resolve(out);
        else
          reject(
            new Error(`${path} ${args.join(" ")}: ${error.message}\n${out}${err}`.slice(-4_000), {
              cause: error,
            }),
          );
      },
    );
  });
}

/**
 * Limits for a container, as flags: no higher than this process's hard limits, which it may not
 * raise where it has no right to.
 */
export function ulimitFlags(): readonly string[] {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const flag = (name: string, row: string): string => {
    const hard = new RegExp(`^${row}\\s+\\S+\\s+(\\S+)`, "m").exec(limits)?.[1] ?? "unlimited";
    const limit = hard === "unlimited" ? 8_192 : Math.min(Number(hard), 8_192);
    return `--ulimit=${name}=${limit}:${limit}`;
  };
  return [flag("nofile", "Max open files"), flag("nproc", "Max processes")];
}
