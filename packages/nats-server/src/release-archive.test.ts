import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { requirePinned } from "./build-ways.ts";
import { PINNED_ARCHIVES, PINNED_MODULES } from "./pinned-releases.ts";
import { fetchRelease, releasePlatform } from "./release-archive.ts";
import { RELEASES, satisfies } from "./version.ts";

const FOLDER = "nats-server-v9.9.9-linux-amd64";
const PLATFORM = { platform: "linux", arch: "x64" } as const;

let dir: string;
let server: Server;
let baseUrl: string;
let files: Map<string, Buffer>;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-release-"));
  files = new Map();
  server = createServer((request, response) => {
    const body = files.get(request.url ?? "");
    response.writeHead(body === undefined ? 404 : 200, { connection: "close" }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true, force: true });
});

/** Puts an archive on the server. @returns its checksum */
async function publish(): Promise<string> {
  await mkdir(join(dir, "src", FOLDER), { recursive: true });
  await writeFile(
    join(dir, "src", FOLDER, "nats-server"),
    "#!/bin/sh\necho 'nats-server: v9.9.9'\n",
  );
  await chmod(join(dir, "src", FOLDER, "nats-server"), 0o755);
  execFileSync("tar", ["-czf", join(dir, "a.tar.gz"), "-C", join(dir, "src"), FOLDER]);
  const archive = await readFile(join(dir, "a.tar.gz"));
  files.set(`/v9.9.9/${FOLDER}.tar.gz`, archive);
  return createHash("sha256").update(archive).digest("hex");
}

/** Asks for the release whose checksums are these. */
const fetchIt = (archives: Record<string, string>): Promise<string> =>
  fetchRelease({
    ...PLATFORM,
    release: { version: "9.9.9", archives },
    workDir: join(dir, "work"),
    baseUrl,
  });

describe("fetchRelease", () => {
  it("extracts the binary of an archive whose checksum fits", async () => {
    const path = await fetchIt({ "linux-amd64": await publish() });
    expect(execFileSync(path, ["--version"], { encoding: "utf8" })).toContain("v9.9.9");
  });

  it("refuses another archive, also with a checksum that fits it beside it", async () => {
    const actual = await publish();
    files.set("/v9.9.9/SHA256SUMS", Buffer.from(`${actual}  ${FOLDER}.tar.gz\n`));
    await mkdir(join(dir, "work"));
    await expect(fetchIt({ "linux-amd64": "f".repeat(64) })).rejects.toThrow(
      /the download is refused/,
    );
    expect(await readdir(join(dir, "work"))).toEqual([]);
  });

  it("fetches nothing for a platform whose checksum is not known", async () => {
    const asked: string[] = [];
    server.on("request", (request) => asked.push(request.url ?? ""));
    await publish();
    await expect(fetchIt({ "linux-arm64": "f".repeat(64) })).rejects.toThrow(
      /no checksum of nats-server 9\.9\.9 for linux-amd64/,
    );
    expect(asked).toEqual([]);
  });

  it("names the address and the status of a release that is not there", async () => {
    await expect(fetchIt({ "linux-amd64": "f".repeat(64) })).rejects.toThrow(
      /amd64\.tar\.gz: HTTP 404/,
    );
  });
});

describe("what is pinned", () => {
  it("has a checksum for each archive, of a release that serves for its generation", () => {
    for (const generation of ["newest", "2.12", "2.11", "2.10"] as const) {
      const { version, archives } = PINNED_ARCHIVES[generation];
      expect(satisfies(version, generation)).toBe(true);
      expect(Object.keys(archives)).toContain("linux-amd64");
      for (const sum of Object.values(archives)) expect(sum).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  it("has a hash for each release that is built from source, and refuses another module", () => {
    for (const version of Object.values(RELEASES)) {
      const sum = PINNED_MODULES[version] ?? "";
      expect(sum).toMatch(/^h1:/);
      expect(() => requirePinned(version, JSON.stringify({ Sum: sum }))).not.toThrow();
      expect(() => requirePinned(version, '{"Sum":"h1:other="}')).toThrow(/h1:other=/);
      expect(() => requirePinned(version, "{}")).toThrow(/the hash none/);
    }
    expect(() => requirePinned("9.9.9", "{}")).toThrow(/no hash of the module v9\.9\.9/);
  });
});

describe("releasePlatform", () => {
  it("follows the names of the published archives", () => {
    expect(releasePlatform("darwin", "arm64")).toBe("darwin-arm64");
    expect(releasePlatform("win32", "x64")).toBe("windows-amd64");
    expect(() => releasePlatform("aix", "ppc64")).toThrow(/publishes no release/);
  });
});
