import { resolve } from "node:path";
import { obtainServer, type ServerGeneration } from "@millrace/nats-server";

/** A server that the tests run against, or the reason why they do not. */
export type ServerUnderTest =
  | {
      readonly state: "present";
      readonly generation: ServerGeneration;
      readonly path: string;
      readonly version: string;
    }
  | { readonly state: "missing"; readonly generation: ServerGeneration; readonly reason: string };

/** Says which one it is, or why there is none. */
export async function obtainOne(generation: ServerGeneration): Promise<ServerUnderTest> {
  const cacheDir = resolve(import.meta.dirname, "../../.millrace/bin");
  try {
    const found = await obtainServer({ generation, cacheDir, onProgress: say });
    const { path, version, source } = found;
    say(`testing against nats-server ${version} (${source})`);
    return { state: "present", generation, path, version };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    say(`SKIPPING tests against nats-server ${generation}: ${reason}`);
    return { state: "missing", generation, reason: inOneLine(reason) };
  }
}

export function say(line: string): void {
  process.stdout.write(`millrace: ${line}\n`);
}

/**
 * What was tried, which is the end of the message; the rest says what to do and was printed above.
 */
function inOneLine(reason: string): string {
  const tried = reason.split("Tried:\n").at(-1) ?? reason;
  return tried.replace(/^\s*- /, "").replace(/\s*\n\s*(- )?/g, "; ");
}
