import { randomBytes } from "node:crypto";
import {
  type LaunchedServer,
  launchServer,
  type ServerGeneration,
} from "@millrace/broker-nats/server";
import { afterAll, afterEach, beforeAll, describe, inject } from "vitest";
import type { ServerUnderTest } from "./obtain-servers.ts";

/** A private server of one test file, with the verbs of a fault test. */
export interface TestServer {
  readonly generation: ServerGeneration;
  /** The address; only inside tests and hooks. */
  readonly url: string;
  readonly version: string;
  /** The process behind it; only inside tests and hooks. */
  readonly launched: LaunchedServer;
  /** A name no other test uses, so that tests on one server never meet. */
  namespace(): string;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP, and it has taken effect: connections stay open, nothing answers. */
  freeze(): Promise<void>;
  thaw(): void;
  restart(): Promise<void>;
}

export interface UseServerOptions {
  /** Lines added to the server's configuration file. */
  readonly config?: string;
  readonly jetstream?: boolean;
}

/** Both generations, each present or missing with its reason. */
export function serversUnderTest(): readonly ServerUnderTest[] {
  return inject("serversUnderTest");
}

/** Runs the body once per generation; a missing one is reported as skipped, with the reason in its title. */
export function describeEachServer(
  title: string,
  body: (server: TestServer) => void,
  options: UseServerOptions = {},
): void {
  for (const target of serversUnderTest()) describeOne(title, target, body, options);
}

/** As `describeEachServer`, for what needs one generation only. */
export function describeServer(
  title: string,
  generation: ServerGeneration,
  body: (server: TestServer) => void,
  options: UseServerOptions = {},
): void {
  for (const target of serversUnderTest()) {
    if (target.generation === generation) describeOne(title, target, body, options);
  }
}

function describeOne(
  title: string,
  target: ServerUnderTest,
  body: (server: TestServer) => void,
  options: UseServerOptions,
): void {
  describe.skipIf(target.state === "missing")(`${title} (${nameOf(target)})`, () => {
    body(useServer(target, options));
  });
}

/** For the title of a suite: the version, or why there is none. */
export function nameOf(target: ServerUnderTest): string {
  return target.state === "present"
    ? `nats-server ${target.version}`
    : `nats-server ${target.generation} is missing: ${target.reason}`;
}

/** Starts a server before the tests of the enclosing `describe` or file, brings it back after each, removes it at the end. */
export function useServer(target: ServerUnderTest, options: UseServerOptions = {}): TestServer {
  let launched: LaunchedServer | undefined;
  const running = (): LaunchedServer => {
    if (launched === undefined) throw new Error("the server runs only inside tests and hooks");
    return launched;
  };

  beforeAll(async () => {
    if (target.state === "missing") throw new Error(target.reason);
    launched = await launchServer({ path: target.path, ...options });
  });
  afterEach(async () => {
    running().resume();
    if (running().state === "ended") await running().restart();
  });
  afterAll(async () => {
    await launched?.dispose();
    launched = undefined;
  });

  return {
    generation: target.generation,
    get url() {
      return running().url;
    },
    get version() {
      return running().version;
    },
    get launched() {
      return running();
    },
    namespace: () => `t${randomBytes(6).toString("hex")}`,
    stop: () => running().stop(),
    kill: () => running().kill(),
    freeze: () => running().pause(),
    thaw: () => running().resume(),
    restart: () => running().restart(),
  };
}
