import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { existsSync, realpathSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { findProgram, runProgram, ulimitFlags } from "./program.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const MINUTE = 60_000;

/** What builds images and runs them without a daemon, or why it can't. */
export type Builder =
  | { readonly state: "present"; readonly tools: Tools }
  | { readonly state: "missing"; readonly reason: string };

interface Tools {
  readonly buildah: string;
  readonly podman: string;
  /** What Podman has start the containers. */
  readonly runtime: string;
  /** Makes a Debian root file system; undefined where images are pulled. */
  readonly mmdebstrap: string | undefined;
  readonly npm: string | undefined;
}

/**
 * `MILLRACE_TEST_IMAGES=pull` says that the base images of the Containerfile can be pulled here;
 * else they are made.
 */
const pulls = process.env["MILLRACE_TEST_IMAGES"] === "pull";

export function findBuilder(): Builder {
  const missing = (reason: string): Builder => ({ state: "missing", reason });
  if (process.platform !== "linux") return missing(`no container builder on ${process.platform}`);
  if (process.getuid?.() !== 0) return missing("the container tests need root");
  const [buildah, podman, mmdebstrap, npm] = ["buildah", "podman", "mmdebstrap", "npm"].map(
    (name) => findProgram(name),
  );
  if (buildah === undefined) return missing("no container builder: buildah is not installed");
  if (podman === undefined) return missing("no container runtime: podman is not installed");
  const runtime = ["runc", "crun"].find((name) => findProgram(name) !== undefined);
  if (runtime === undefined)
    return missing("no container runtime: neither runc nor crun is installed");
  if (!pulls && mmdebstrap === undefined)
    return missing("no base image: mmdebstrap is not installed, nor is MILLRACE_TEST_IMAGES=pull");
  return { state: "present", tools: { buildah, podman, runtime, mmdebstrap, npm } };
}

/**
 * Flags that put two images of our own in the place of those that the Containerfile names: Debian,
 * and Debian with Node and npm.
 */
export type BaseImages =
  | { readonly state: "present"; readonly flags: readonly string[] }
  | { readonly state: "missing"; readonly reason: string };

/**
 * Kept in the container storage under these names, as the images they stand for would be after a
 * pull.
 */
const DEBIAN = "localhost/millrace-test-debian:bookworm-slim";
const NODE = `localhost/millrace-test-node:${process.versions.node}-bookworm-slim`;

/**
 * How `debian:bookworm-slim` is made: the same 88 packages, and of those neither pages nor
 * translations. Left to itself, apt takes `usrmerge`, and with it all of Perl.
 */
const SLIM = [
  ...["--variant=minbase", "--include=usr-is-merged"],
  "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
  `--setup-hook=mkdir -p "$1/etc/apt/preferences.d" &&
    printf 'Package: usrmerge\nPin: release *\nPin-Priority: -1\n' > "$1/etc/apt/preferences.d/usrmerge"`,
  ...["doc", "groff", "info", "linda", "lintian", "locale", "man"].map(
    (name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`,
  ),
  ...["doc/*/copyright", "locale/locale.alias"].map(
    (name) => `--dpkgopt=path-include=/usr/share/${name}`,
  ),
];

/** Missing where Debian's packages can't be fetched, which is no fault of the image. */
export async function baseImages(tools: Tools): Promise<BaseImages> {
  if (pulls) return { state: "present", flags: [] };
  const buildah = (...args: string[]) => runProgram(tools.buildah, args, { timeoutMs: 5 * MINUTE });
  const there = await buildah("images", "--format", "{{.Name}}:{{.Tag}}");
  const flags = [`--build-arg=BASE_IMAGE=${DEBIAN}`, `--build-arg=NODE_IMAGE=${NODE}`];
  if ([DEBIAN, NODE].every((name) => there.split("\n").includes(name)))
    return { state: "present", flags };

  const folder = await mkdtemp(join(tmpdir(), "millrace-base-"));
  const container = (await buildah("from", "scratch")).trim();
  try {
    const rootfs = join(folder, "rootfs.tar");
    try {
      await runProgram(tools.mmdebstrap ?? "mmdebstrap", [...SLIM, "bookworm", rootfs], {
        timeoutMs: 8 * MINUTE,
      });
    } catch (error) {
      return { state: "missing", reason: `mmdebstrap failed: ${String(error).split("\n")[0]}` };
    }
    await buildah("add", "--quiet", container, rootfs, "/");
    await buildah("config", "--env=PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container);
    await buildah("commit", "--quiet", container, DEBIAN);
    // As the official image has them.
    await buildah("copy", "--quiet", container, process.execPath, "/usr/local/bin/node");
    const npm = dirname(dirname(realpathSync(tools.npm ?? "npm")));
    await buildah("copy", "--quiet", container, npm, "/usr/local/lib/node_modules/npm");
    const links = join(folder, "links/usr/local/bin");
    await mkdir(links, { recursive: true });
    for (const name of ["npm", "npx"])
      await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(links, name));
    await buildah("copy", "--quiet", container, join(folder, "links"), "/");
    // Who this machine trusts, in case its way to the registry is not the public one. Only in the
    // build stage.
    const trusted = process.env["SSL_CERT_FILE"] ?? "/etc/ssl/certs/ca-certificates.crt";
    if (existsSync(trusted)) {
      await buildah("copy", "--quiet", container, trusted, "/etc/ssl/certs/trusted.crt");
      await buildah("config", "--env=NODE_EXTRA_CA_CERTS=/etc/ssl/certs/trusted.crt", container);
    }
    await buildah("commit", "--quiet", container, NODE);
  } finally {
    await buildah("rm", container);
    await rm(folder, { recursive: true });
  }
  return { state: "present", flags };
}

/** What the image stands on, as it is called in the container storage. */
export async function baseOf(): Promise<string> {
  if (!pulls) return DEBIAN;
  const text = await readFile(join(ROOT, "deploy/Containerfile"), "utf8");
  const [, repository, digest] = /^ARG BASE_IMAGE=([^:]+):[^@]+(@\S+)$/m.exec(text) ?? [];
  if (repository === undefined) throw new Error("the Containerfile names no base by its digest");
  return `${repository}${digest}`;
}

export interface BuiltImage {
  readonly name: string;
  dispose(): Promise<void>;
}

/** Builds a Containerfile with the folder as its context. */
export async function buildImage(
  tools: Tools,
  containerfile: string,
  context: string,
  flags: readonly string[],
): Promise<BuiltImage> {
  const name = `localhost/millrace-test-${randomBytes(6).toString("hex")}`;
  const npmrc = join(homedir(), ".npmrc");
  await runProgram(
    tools.buildah,
    [
      ...["build", "--format=docker", "--isolation=chroot", "--network=host", "--no-cache"],
      ...ulimitFlags(),
      ...(existsSync(npmrc) ? [`--secret=id=npmrc,src=${npmrc}`] : []),
      ...flags,
      ...["--file", containerfile, "--tag", name, context],
    ],
    { timeoutMs: 10 * MINUTE },
  );
  return {
    name,
    dispose: async () => {
      await runProgram(tools.buildah, ["rmi", "--force", name], { timeoutMs: MINUTE });
    },
  };
}

/** The image of the repository. */
export const buildMillrace = (tools: Tools, baseFlags: readonly string[]): Promise<BuiltImage> =>
  buildImage(tools, join(ROOT, "deploy/Containerfile"), ROOT, [
    "--build-arg=VERSION=1.2.3-test",
    ...baseFlags,
  ]);

export interface Container {
  exec(...command: string[]): Promise<string>;
  /** Its exit code after a SIGTERM to its process 1, and a SIGKILL after that many seconds. */
  stop(graceSeconds: number): Promise<number>;
  logs(): Promise<string>;
}

/**
 * A container as a careful operator runs it: no capability, a file system that can't be written.
 * Removed by `dispose`.
 */
export async function startContainer(
  tools: Tools,
  image: string,
  options: {
    readonly env: Readonly<Record<string, string>>;
    readonly mount?: { readonly from: string; readonly to: string };
    /** In the place of the image's own. */
    readonly command?: readonly string[];
  },
): Promise<Container & { dispose(): Promise<void> }> {
  const podman = (...args: string[]) => runProgram(tools.podman, args, { timeoutMs: MINUTE });
  const name = `millrace-test-${randomBytes(6).toString("hex")}`;
  await podman(
    ...["run", "--detach", "--name", name, `--runtime=${tools.runtime}`, "--network=host"],
    // Podman has systemd run its health checks, which is not everywhere; the test runs the image's
    // own command.
    ...["--no-healthcheck", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"],
    ...ulimitFlags(),
    ...Object.entries(options.env).map(([key, value]) => `--env=${key}=${value}`),
    ...(options.mount === undefined
      ? []
      : [`--volume=${options.mount.from}:${options.mount.to}:ro`]),
    image,
    ...(options.command ?? []),
  );
  return {
    exec: (...command) => podman("exec", name, ...command),
    stop: async (graceSeconds) => {
      await podman("stop", "--time", String(graceSeconds), name);
      return Number(await podman("inspect", "--format", "{{.State.ExitCode}}", name));
    },
    logs: () => podman("logs", name),
    dispose: async () => {
      await podman("rm", "--force", "--time", "0", name);
    },
  };
}
