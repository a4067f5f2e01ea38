import { SERVER_VARIABLES, type ServerGeneration } from "@millrace/nats-server";
import type { TestProject } from "vitest/node";
import { clusterMode } from "./cluster/mode.ts";
import { obtainOne, say, type ServerUnderTest } from "./obtain-one.ts";
import { isShortPart } from "./part.ts";

declare module "vitest" {
  interface ProvidedContext {
    serversUnderTest: readonly ServerUnderTest[];
  }
}

const GENERATIONS: readonly ServerGeneration[] = isShortPart() ? ["newest"] : ["newest", "2.10"];

/** Names the one server that all tests of the run meet in place of the newest: `2.12`, `2.11`. */
const ONE_SERVER = "MILLRACE_TEST_SERVER";
const IN_BETWEEN: readonly ServerGeneration[] = ["2.12", "2.11"];

/**
 * Runs once before all test files, so that they share one look for servers and one message about a
 * missing one.
 */
export default async function setup(project: TestProject): Promise<void> {
  const servers: ServerUnderTest[] = [];
  const mode = clusterMode();
  const only = onlyServer();
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
    if (only !== undefined && generation !== "newest") {
      servers.push({ state: "missing", generation, reason: `this run is against ${only}` });
      continue;
    }
    const obtained = await obtainOne(only ?? generation);
    const server: ServerUnderTest = { ...obtained, generation };
    servers.push(server);
    // The workers start with this environment, and so do the programs that tests start: all use the
    // same binary.
    if (server.state === "present") process.env[SERVER_VARIABLES[generation]] = server.path;
  }
  project.provide("serversUnderTest", servers);
}

function onlyServer(): ServerGeneration | undefined {
  const wanted = process.env[ONE_SERVER];
  if (wanted === undefined || wanted === "") return undefined;
  const found = IN_BETWEEN.find((generation) => generation === wanted);
  if (found === undefined)
    throw new Error(`${ONE_SERVER}=${wanted}: it is one of ${IN_BETWEEN.join(", ")}`);
  return found;
}
