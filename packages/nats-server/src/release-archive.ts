import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PinnedRelease } from "./pinned-releases.ts";
import { run } from "./run.ts";

const RELEASES_URL = "https://github.com/nats-io/nats-server/releases/download";
/**
 * How long a server may take to begin its answer: a network that swallows packets must not hang the
 * set-up.
 */
const ANSWER_MS = 10_000;
const BODY_MS = 5 * 60_000;

export interface ReleaseRequest {
  readonly release: PinnedRelease;
  /** An existing directory of the caller's; the archive and its content are left in it. */
  readonly workDir: string;
  /** Where releases are kept: `<base>/v<version>/<file>`. Only tests change it. */
  readonly baseUrl?: string;
  readonly platform?: NodeJS.Platform;
  readonly arch?: NodeJS.Architecture;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Downloads the release archive of the NATS project, compares it with the checksum that is known
 * here, and extracts it with the system's `tar`. Nothing is written before the checksum fits.
 *
 * @returns the path of the binary
 * @throws Error where no checksum is known for this platform: then nothing is fetched
 */
export async function fetchRelease(request: ReleaseRequest): Promise<string> {
  const { release, workDir, baseUrl = RELEASES_URL, signal } = request;
  const { version } = release;
  const platform = releasePlatform(
    request.platform ?? process.platform,
    request.arch ?? process.arch,
  );
  const expected = release.archives[platform];
  if (expected === undefined)
    throw new Error(
      `no checksum of nats-server ${version} for ${platform} is known here, so it is not fetched`,
    );
  const folder = `nats-server-v${version}-${platform}`;
  const windows = platform.startsWith("windows-");
  const file = `${folder}.${windows ? "zip" : "tar.gz"}`;
  const archive = await download(`${baseUrl}/v${version}/${file}`, signal);
  const actual = createHash("sha256").update(archive).digest("hex");
  if (actual !== expected) {
    throw new Error(
      `${file} has SHA-256 ${actual}, and ${expected} is expected: the download is refused`,
    );
  }
  await mkdir(workDir, { recursive: true });
  const archivePath = join(workDir, file);
  await writeFile(archivePath, archive);
  await run("tar", ["-xf", archivePath, "-C", workDir], { timeoutMs: 60_000, signal });
  return join(workDir, folder, windows ? "nats-server.exe" : "nats-server");
}

/** How the archives of the NATS project call this platform. */
export function releasePlatform(platform: NodeJS.Platform, arch: NodeJS.Architecture): string {
  const systems: Partial<Record<NodeJS.Platform, string>> = {
    linux: "linux",
    darwin: "darwin",
    win32: "windows",
    freebsd: "freebsd",
  };
  const machines: Partial<Record<NodeJS.Architecture, string>> = {
    x64: "amd64",
    arm64: "arm64",
    arm: "arm7",
    ia32: "386",
    s390x: "s390x",
    ppc64: "ppc64le",
  };
  const system = systems[platform];
  const machine = machines[arch];
  if (system === undefined || machine === undefined) {
    throw new Error(`the NATS project publishes no release for ${platform} on ${arch}`);
  }
  return `${system}-${machine}`;
}

async function download(url: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const answer = new AbortController();
  const late = setTimeout(
    () => answer.abort(new Error(`no answer within ${ANSWER_MS / 1000} s`)),
    ANSWER_MS,
  );
  const signals = [
    answer.signal,
    AbortSignal.timeout(BODY_MS),
    ...(signal === undefined ? [] : [signal]),
  ];
  try {
    const response = await fetch(url, { signal: AbortSignal.any(signals) });
    clearTimeout(late);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Error(`${url}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause: error,
    });
  } finally {
    clearTimeout(late);
  }
}
