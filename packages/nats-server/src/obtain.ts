import { constants } from "node:fs";
import { access, chmod, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { optionNames, refuseUnknown } from "@millrace/core";
import { BUILD_WAYS, type BuildWay } from "./build-ways.ts";
import { type FailedAttempt, serverUnavailable } from "./errors.ts";
import { withInstallLock } from "./install-lock.ts";
import {
  readServerVersion,
  RELEASES,
  satisfies,
  SERVER_VARIABLES,
  standsIn,
  type ServerGeneration,
} from "./version.ts";

export interface ObtainOptions {
  /** Default `newest`. */
  readonly generation?: ServerGeneration;
  /** Where obtained servers are kept. Default `.millrace/bin` in the working directory. */
  readonly cacheDir?: string;
  /** Told in one line what is being done when it may take long. */
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
  /** Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
  /** The ways of making a binary that is not there. Only tests give others. */
  readonly buildWays?: readonly BuildWay[];
}

const NAMES = optionNames<ObtainOptions>({
  ...{ generation: true, cacheDir: true, onProgress: true, signal: true, env: true },
  buildWays: true,
});

export interface ObtainedServer {
  readonly path: string;
  readonly version: string;
  /** Where it came from: `NATS_SERVER`, `PATH`, `cache`, `go install`, … */
  readonly source: string;
}

/**
 * Finds a nats-server, or makes one: the environment variable, the PATH, the cache, then Go,
 * Debian's package and the official release. What was made is kept in the cache, so the next call
 * is instantaneous. Several processes may call it at once; one installs and the others wait for it.
 *
 * @throws MillraceError `server-unavailable` when no way led to a server; its message says what to
 *   do.
 */
export async function obtainServer(options: ObtainOptions = {}): Promise<ObtainedServer> {
  refuseUnknown(options, NAMES, "obtainServer()");
  const {
    generation = "newest",
    cacheDir = join(".millrace", "bin"),
    env = process.env,
    signal,
  } = options;
  const attempts: FailedAttempt[] = [];
  const suffix = process.platform === "win32" ? ".exe" : "";
  const cached = resolve(cacheDir, `nats-server-v${RELEASES[generation]}${suffix}`);

  const variable = SERVER_VARIABLES[generation];
  const named = env[variable];
  if (named !== undefined && named !== "") {
    const found = await probe(named, generation, variable, attempts, signal);
    // A binary that was asked for by name is used or refused, never silently replaced by another.
    if (found === undefined) throw serverUnavailable(generation, attempts);
    return found;
  }
  const there =
    (await findOnPath(env, generation, attempts, signal)) ??
    (await probeCache(cached, generation, attempts, signal));
  if (there !== undefined) return there;

  await mkdir(cacheDir, { recursive: true });
  return withInstallLock(
    `${cached}.lock`,
    async () => {
      // Whoever held the lock before may have installed it.
      const meanwhile = await probeCache(cached, generation, [], signal);
      if (meanwhile !== undefined) return meanwhile;
      const path = await build(cached, generation, attempts, options);
      return path;
    },
    signal,
    (owner) =>
      options.onProgress?.(`waiting for process ${owner}, which installs nats-server: ${cached}`),
  );
}

async function build(
  target: string,
  generation: ServerGeneration,
  attempts: FailedAttempt[],
  options: ObtainOptions,
): Promise<ObtainedServer> {
  const { signal, onProgress, env = process.env, buildWays = BUILD_WAYS } = options;
  for (const way of buildWays) {
    signal?.throwIfAborted();
    const workDir = await mkdtemp(`${target}.tmp-`);
    try {
      const version = way.brings?.(generation);
      onProgress?.(
        `obtaining nats-server ${version === undefined ? "" : `${version} `}by ${way.name}`,
      );
      const made = await way.make({ generation, workDir, env, signal });
      const given = await readServerVersion(made, signal);
      if (!satisfies(given, generation)) throw new Error(`it gave version ${given}`);
      await chmod(made, 0o755);
      await rename(made, target);
      return { path: target, version: given, source: way.name };
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      attempts.push({ way: way.name, reason: reasonOf(error) });
    } finally {
      await rm(workDir, { recursive: true, force: true });
    }
  }
  throw serverUnavailable(generation, attempts);
}

async function findOnPath(
  env: NodeJS.ProcessEnv,
  generation: ServerGeneration,
  attempts: FailedAttempt[],
  signal: AbortSignal | undefined,
): Promise<ObtainedServer | undefined> {
  const file = process.platform === "win32" ? "nats-server.exe" : "nats-server";
  let seen = false;
  for (const folder of (env["PATH"] ?? "").split(delimiter)) {
    if (folder === "" || !(await isExecutable(join(folder, file)))) continue;
    seen = true;
    const found = await probe(join(folder, file), generation, "PATH", attempts, signal);
    if (found !== undefined) return found;
  }
  if (!seen) attempts.push({ way: "PATH", reason: "no nats-server on it" });
  return undefined;
}

async function probeCache(
  cached: string,
  generation: ServerGeneration,
  attempts: FailedAttempt[],
  signal: AbortSignal | undefined,
): Promise<ObtainedServer | undefined> {
  if (!(await isExecutable(cached))) return undefined;
  return probe(cached, generation, "cache", attempts, signal);
}

async function probe(
  path: string,
  generation: ServerGeneration,
  source: string,
  attempts: FailedAttempt[],
  signal: AbortSignal | undefined,
): Promise<ObtainedServer | undefined> {
  try {
    const version = await readServerVersion(path, signal);
    const serves = source === SERVER_VARIABLES[generation] ? standsIn : satisfies;
    if (serves(version, generation)) return { path: resolve(path), version, source };
    attempts.push({ way: source, reason: `${path} is version ${version}` });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    attempts.push({ way: source, reason: `${path} cannot be run: ${reasonOf(error)}` });
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.includes("ENOENT") ? "not installed here" : message;
}
