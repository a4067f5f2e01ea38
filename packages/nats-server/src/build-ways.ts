import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { PINNED_ARCHIVES, PINNED_MODULES } from "./pinned-releases.ts";
import { fetchRelease } from "./release-archive.ts";
import { run } from "./run.ts";
import { RELEASES, satisfies, type ServerGeneration } from "./version.ts";

const BUILD_MS = 10 * 60_000;

export interface BuildRequest {
  readonly generation: ServerGeneration;
  /** An existing, empty directory that the caller removes afterwards. */
  readonly workDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal | undefined;
}

/**
 * A way of making a server binary that is not there yet. `make` returns its path in the work
 * directory or rejects with the reason.
 */
export interface BuildWay {
  readonly name: string;
  /** The version that it brings, where that is known before. */
  readonly brings?: (generation: ServerGeneration) => string;
  readonly make: (request: BuildRequest) => Promise<string>;
}

export const goInstall: BuildWay = {
  name: "go install",
  brings: (generation) => RELEASES[generation],
  async make({ generation, workDir, env, signal }) {
    const version = RELEASES[generation];
    const module = `github.com/nats-io/nats-server/v2@v${version}`;
    const options = {
      cwd: workDir,
      env: { ...env, GOBIN: workDir, CGO_ENABLED: "0", GOOS: "", GOARCH: "", GOFLAGS: "" },
      timeoutMs: BUILD_MS,
      signal,
    };
    requirePinned(version, await run("go", ["mod", "download", "-json", module], options));
    await run("go", ["install", module], options);
    return join(workDir, process.platform === "win32" ? "nats-server.exe" : "nats-server");
  },
};

/**
 * Whether the module that Go has fetched is the one that is known here. Go builds from what it has
 * fetched, and nothing of it runs before this.
 *
 * @param downloaded what `go mod download -json` said
 * @throws Error where it is another, or where none is known
 */
export function requirePinned(version: string, downloaded: string): void {
  const expected = PINNED_MODULES[version];
  if (expected === undefined) throw new Error(`no hash of the module v${version} is known here`);
  const { Sum: actual } = JSON.parse(downloaded) as { readonly Sum?: string };
  if (actual !== expected)
    throw new Error(
      `the module v${version} has the hash ${actual ?? "none"}, and ${expected} is expected`,
    );
}

/**
 * Takes the binary out of Debian's package and leaves the system alone: installing the package
 * would also start a server of the system's on the well-known port.
 */
export const debianPackage: BuildWay = {
  name: "apt-get",
  async make({ generation, workDir, env, signal }) {
    if (generation !== "newest") throw new Error("Debian offers one version at a time");
    const options = { cwd: workDir, env: { ...env, LC_ALL: "C" }, signal };
    const policy = await run("apt-cache", ["policy", "nats-server"], {
      ...options,
      timeoutMs: 30_000,
    });
    const candidate = /Candidate: (\d\S*)/.exec(policy)?.[1];
    if (candidate === undefined) throw new Error("this system's package lists hold no nats-server");
    if (!satisfies(candidate, generation))
      throw new Error(`it offers only ${candidate}, and 2.10 is needed`);
    await run("apt-get", ["download", "nats-server"], { ...options, timeoutMs: BUILD_MS });
    const archive = (await readdir(workDir)).find((name) => name.endsWith(".deb"));
    if (archive === undefined) throw new Error("apt-get download left no package");
    await mkdir(join(workDir, "content"));
    await run("dpkg-deb", ["-x", archive, "content"], { ...options, timeoutMs: 60_000 });
    const content = await readdir(join(workDir, "content"), { recursive: true });
    const binary = content.find((name) => /(^|\/)s?bin\/nats-server$/.test(name));
    if (binary === undefined) throw new Error("the package holds no nats-server binary");
    return join(workDir, "content", binary);
  },
};

export const officialRelease: BuildWay = {
  name: "release archive",
  brings: (generation) => PINNED_ARCHIVES[generation].version,
  make: ({ generation, workDir, signal }) =>
    fetchRelease({ release: PINNED_ARCHIVES[generation], workDir, signal }),
};

/** In the order they are tried. */
export const BUILD_WAYS: readonly BuildWay[] = [goInstall, debianPackage, officialRelease];
