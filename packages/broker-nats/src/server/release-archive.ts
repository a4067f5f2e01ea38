import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.ts";

const RELEASES_URL = "https://github.com/nats-io/nats-server/releases/download";
/** How long a server may take to begin its answer: a network that swallows packets must not hang the set-up. */
const ANSWER_MS = 10_000;
const BODY_MS = 5 * 60_000;

export interface ReleaseRequest {
  readonly version: string;
  /** An existing directory of the caller's; the archive and its content are left in it. */
  readonly workDir: string;
  /** Where releases are kept: `<base>/v<version>/<file>`. Only tests change it. */
  readonly baseUrl?: string;
  readonly platform?: NodeJS.Platform;
  readonly arch?: NodeJS.Architecture;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Downloads the release archive of the NATS project, compares it with the checksum published beside it, and
 * extracts it with the system's `tar`. Returns the path of the binary. Nothing is extracted before the checksum fits.
 */
export async function fetchRelease(request: ReleaseRequest): Promise<string> {
  const { version, workDir, baseUrl = RELEASES_URL, signal } = request;
  const folder = releaseFolder(
    version,
    request.platform ?? process.platform,
    request.arch ?? process.arch,
  );
  const file = `${folder}.${folder.includes("-windows-") ? "zip" : "tar.gz"}`;
  const sums = (await download(`${baseUrl}/v${version}/SHA256SUMS`, signal)).toString("utf8");
  const expected = findChecksum(sums, file);
  if (expected === undefined) throw new Error(`SHA256SUMS of v${version} does not list ${file}`);
  const archive = await download(`${baseUrl}/v${version}/${file}`, signal);
  const actual = createHash("sha256").update(archive).digest("hex");
  if (actual !== expected) {
    throw new Error(
      `${file} has SHA-256 ${actual}, but ${expected} is published: the download is refused`,
    );
  }
  await mkdir(workDir, { recursive: true });
  const archivePath = join(workDir, file);
  await writeFile(archivePath, archive);
  await run("tar", ["-xf", archivePath, "-C", workDir], { timeoutMs: 60_000, signal });
  return join(workDir, folder, folder.includes("-windows-") ? "nats-server.exe" : "nats-server");
}

/** The name, without its ending, that the release of this platform carries. */
export function releaseFolder(
  version: string,
  platform: NodeJS.Platform,
  arch: NodeJS.Architecture,
): string {
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
  return `nats-server-v${version}-${system}-${machine}`;
}

function findChecksum(sums: string, file: string): string | undefined {
  for (const line of sums.split("\n")) {
    const [sum, name] = line.trim().split(/\s+\*?/);
    if (name === file) return sum?.toLowerCase();
  }
  return undefined;
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
