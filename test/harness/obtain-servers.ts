import { resolve } from "node:path";
import { obtainServer, SERVER_VARIABLES, type ServerGeneration } from "@millrace/nats-server";
import type { TestProject } from "vitest/node";
import { clusterMode } from "./cluster/mode.ts";
import { isShortPart } from "./part.ts";

/** A server that the tests run against, or the reason why they do not. */
export type ServerUnderTest =
  | {
      readonly state: "present";
      readonly generation: ServerGeneration;
      readonly path: string;
      readonly version: string;
    }
  | { readonly state: "missing"; readonly generation: ServerGeneration; readonly reason: string };

declare module "vitest" {
  interface ProvidedContext {
    serversUnderTest: readonly ServerUnderTest[];
  }
}

const GENERATIONS: readonly ServerGeneration[] = isShortPart() ? ["newest"] : ["newest", "2.10"];

/**
 * Runs once before all test files, so that they share one look for servers and one message about a
 * missing one.
 */
export default async function setup(project: TestProject): Promise<void> {
  const cacheDir = resolve(import.meta.dirname, "../../.millrace/bin");
  const servers: ServerUnderTest[] = [];
  const mode = clusterMode();
  if (mode !== undefined) {
    // Every program that a test starts makes its streams with three replicas, as the tests
    // themselves do (vitest.config.ts).
    const preload = new URL("cluster/register-replicas.ts", import.meta.url).href;
    process.env["NODE_OPTIONS"] = `${process.env["NODE_OPTIONS"] ?? ""} --import=${preload}`.trim();
    say(
      "cluster mode: three servers for one, three replicas of everything, leaders killed meanwhile",
    );
  }
  for (const generation of GENERATIONS) {
    if (mode !== undefined && generation !== mode) {
      const reason = `this run is against clusters of ${mode}`;
      servers.push({ state: "missing", generation, reason });
      continue;
    }
    try {
      const { path, version, source } = await obtainServer({
        generation,
        cacheDir,
        onProgress: say,
      });
      servers.push({ state: "present", generation, path, version });
      // The workers start with this environment, and so do the programs that tests start: all use
      // the same binary.
      process.env[SERVER_VARIABLES[generation]] = path;
      say(`testing against nats-server ${version} (${source})`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      servers.push({ state: "missing", generation, reason: inOneLine(reason) });
      say(`SKIPPING tests against nats-server ${generation}: ${reason}`);
    }
  }
  project.provide("serversUnderTest", servers);
}

function say(line: string): void {
  process.stdout.write(`millrace: ${line}\n`);
}

/**
 * What was tried, which is the end of the message; the rest says what to do and was printed above.
 */
function inOneLine(reason: string): string {
  const tried = reason.split("Tried:\n").at(-1) ?? reason;
  return tried.replace(/^\s*- /, "").replace(/\s*\n\s*(- )?/g, "; ");
}
