import { randomBytes } from "node:crypto";
import { type LaunchedServer, launchServer, type ServerGeneration } from "@millrace/nats-server";
import { afterAll, afterEach, beforeAll, describe, inject } from "vitest";
import type { MemberFault } from "./cluster/member-fault.ts";
import { clusterMode } from "./cluster/mode.ts";
import {
  startTestCluster,
  type TestCluster,
  type UseServerOptions,
} from "./cluster/test-cluster.ts";
import { obtainOne, type ServerUnderTest } from "./obtain-one.ts";
import { isShortPart } from "./part.ts";

/**
 * A private server of one test file, with the verbs of a fault test. In cluster mode it is three
 * servers behind one address, the verbs are done to all of them, and between the verbs their
 * leaders are killed.
 */
export interface TestServer {
  readonly generation: ServerGeneration;
  /** The address; only inside tests and hooks. */
  readonly url: string;
  readonly version: string;
  /** The process behind it, of a cluster the first; only inside tests and hooks. */
  readonly launched: LaunchedServer;
  /** The processes behind it: one, or a cluster's three; only inside tests and hooks. */
  readonly members: readonly LaunchedServer[];
  /** Who was killed between the verbs, in cluster mode. */
  readonly deaths: readonly MemberFault[];
  /** A name no other test uses, so that tests on one server never meet. */
  namespace(): string;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP, and it has taken effect: connections stay open, nothing answers. */
  freeze(): Promise<void>;
  thaw(): void;
  restart(): Promise<void>;
  /**
   * In cluster mode no leader is killed from here to the end of the test, and all members are
   * there. For the part of a test that counts or measures what an election would rightly change;
   * what comes before is prepared under kills.
   */
  calm(): Promise<void>;
}

/** Both generations, each present or missing with its reason. */
export function serversUnderTest(): readonly ServerUnderTest[] {
  return inject("serversUnderTest");
}

/**
 * Runs the body once per generation; a missing one is reported as skipped, with the reason in its
 * title.
 */
export function describeEachServer(
  title: string,
  body: (server: TestServer) => void,
  options: UseServerOptions = {},
): void {
  for (const target of serversUnderTest()) describeOne(title, target, body, options);
}

/**
 * As `describeEachServer`, and on 2.11 too, which is obtained first: for what is promised of it.
 * The short part leaves it out, as it does 2.10.
 */
export async function describeEachServerWith211(
  title: string,
  body: (server: TestServer) => void,
  options: UseServerOptions = {},
): Promise<void> {
  describeEachServer(title, body, options);
  if (!isShortPart() && clusterMode() === undefined)
    describeOne(title, await obtainOne("2.11"), body, options);
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
  const inCluster = clusterMode() !== undefined;
  const skipped = target.state === "missing" || (inCluster && options.singleServer !== undefined);
  const exception = inCluster && target.state === "present" ? exceptionOf(options) : "";
  describe.skipIf(skipped)(`${title} (${nameOf(target)}${exception})`, () => {
    body(useServer(target, options));
  });
}

/** For the title of a suite in cluster mode: what does not happen there, and why. */
function exceptionOf({ singleServer, undisturbed }: UseServerOptions): string {
  if (singleServer !== undefined) return `, on a single server only: ${singleServer}`;
  return undisturbed === undefined ? "" : `, no leader is killed: ${undisturbed}`;
}

/** For the title of a suite: the version, or why there is none. */
export function nameOf(target: ServerUnderTest): string {
  return target.state === "present"
    ? `nats-server ${target.version}`
    : `nats-server ${target.generation} is missing: ${target.reason}`;
}

/**
 * Starts a server before the tests of the enclosing `describe` or file, brings it back after each,
 * removes it at the end.
 */
export function useServer(target: ServerUnderTest, options: UseServerOptions = {}): TestServer {
  const start =
    clusterMode() !== undefined && options.jetstream !== false ? startTestCluster : startOne;
  let started: TestCluster | undefined;
  const running = (): TestCluster => {
    if (started === undefined) throw new Error("the server runs only inside tests and hooks");
    return started;
  };

  beforeAll(async () => {
    if (target.state === "missing") throw new Error(target.reason);
    started = await start(target.path, options);
  });
  afterEach(() => running().bringBack());
  afterAll(async () => {
    await started?.dispose();
    started = undefined;
  });

  return {
    generation: target.generation,
    get url() {
      return running().url;
    },
    get version() {
      return running().first.version;
    },
    get launched() {
      return running().first;
    },
    get members() {
      return running().members;
    },
    get deaths() {
      return running().deaths;
    },
    namespace: () => `t${randomBytes(6).toString("hex")}`,
    stop: () => running().stop(),
    kill: () => running().kill(),
    freeze: () => running().freeze(),
    thaw: () => running().thaw(),
    restart: () => running().restart(),
    calm: () => running().calm(),
  };
}

async function startOne(path: string, options: UseServerOptions): Promise<TestCluster> {
  const { config, jetstream } = options;
  const server = await launchServer({
    path,
    ...(config === undefined ? {} : { config }),
    ...(jetstream === undefined ? {} : { jetstream }),
  });
  return {
    url: server.url,
    members: [server],
    deaths: [],
    first: server,
    stop: () => server.stop(),
    kill: () => server.kill(),
    freeze: () => server.pause(),
    thaw: () => server.resume(),
    restart: () => server.restart(),
    calm: () => Promise.resolve(),
    async bringBack() {
      server.resume();
      if (server.state === "ended") await server.restart();
    },
    dispose: () => server.dispose(),
  };
}
