import { execFile } from "node:child_process";
import { delimiter, dirname } from "node:path";

export interface Ran {
  readonly code: number;
  /** Standard output and error together. */
  readonly output: string;
}

/**
 * A command to its end, in the environment of a user's shell: what `npm test` set for its own
 * scripts is taken out.
 */
export function runCommand(
  [command = "", ...args]: readonly string[],
  cwd: string,
  extra: Readonly<Record<string, string>> = {},
  timeout = 170_000,
): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...userEnvironment(), ...extra }, timeout };
    execFile(command, args, options, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, output: `${out}${err}${code === -1 ? String(error) : ""}` });
    });
  });
}

/** As `runCommand`, and a failure with its output when it did not end well. */
export async function succeed(
  command: readonly string[],
  cwd: string,
  extra: Readonly<Record<string, string>> = {},
  timeout?: number,
): Promise<string> {
  const { code, output } = await runCommand(command, cwd, extra, timeout);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${output}`);
  return output;
}

function userEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_OPTIONS|VITEST)/i.test(name) || /^npm_config_registry$/i.test(name),
  );
  // The Node of this project first, as the packages ask for it.
  const path = [dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter);
  return { ...Object.fromEntries(kept), PATH: path, CI: "true" };
}
