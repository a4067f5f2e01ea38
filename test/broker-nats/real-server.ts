import {
  type LaunchedServer,
  launchServer,
  type LaunchOptions,
  type ServerGeneration,
} from "@millrace/nats-server";
import { describe } from "vitest";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

/**
 * Starts a server of the generation under test for one test alone: these tests kill, freeze and
 * configure theirs.
 */
export type StartServer = (options?: Omit<LaunchOptions, "path">) => Promise<LaunchedServer>;

/**
 * Runs the body once per server generation; a missing one is skipped with its reason in the title.
 */
export function describeOnOwnServers(
  title: string,
  body: (start: StartServer, generation: ServerGeneration) => void,
): void {
  for (const target of serversUnderTest()) {
    describe.skipIf(target.state === "missing")(`${title} (${nameOf(target)})`, () => {
      body((options) => {
        if (target.state === "missing") throw new Error(target.reason);
        return launchServer({ path: target.path, ...options });
      }, target.generation);
    });
  }
}
