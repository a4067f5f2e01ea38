import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fetchRelease, releaseFolder } from "./release-archive.ts";

const FOLDER = "nats-server-v9.9.9-linux-amd64";
const PLATFORM = { version: "9.9.9", platform: "linux", arch: "x64" } as const;

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

async function publish(sumOf: (archive: Buffer) => string): Promise<void> {
  await mkdir(join(dir, "src", FOLDER), { recursive: true });
  await writeFile(
    join(dir, "src", FOLDER, "nats-server"),
    "#!/bin/sh\necho 'nats-server: v9.9.9'\n",
  );
  await chmod(join(dir, "src", FOLDER, "nats-server"), 0o755);
  execFileSync("tar", ["-czf", join(dir, "a.tar.gz"), "-C", join(dir, "src"), FOLDER]);
  const archive = await readFile(join(dir, "a.tar.gz"));
  files.set(`/v9.9.9/${FOLDER}.tar.gz`, archive);
  files.set(
    "/v9.9.9/SHA256SUMS",
    Buffer.from(`${"0".repeat(64)}  other.zip\n${sumOf(archive)}  ${FOLDER}.tar.gz\n`),
  );
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe("fetchRelease", () => {
  it("extracts the binary of an archive whose checksum fits", async () => {
    await publish(sha256);
    const path = await fetchRelease({ ...PLATFORM, workDir: join(dir, "work"), baseUrl });
    expect(execFileSync(path, ["--version"], { encoding: "utf8" })).toContain("v9.9.9");
  });

  it("refuses an archive whose checksum differs, and extracts nothing", async () => {
    await publish(() => "f".repeat(64));
    const workDir = join(dir, "work");
    await mkdir(workDir);
    await expect(fetchRelease({ ...PLATFORM, workDir, baseUrl })).rejects.toThrow(
      /the download is refused/,
    );
    expect(await readdir(workDir)).toEqual([]);
  });

  it("refuses an archive that the checksums do not list", async () => {
    await publish(sha256);
    files.set("/v9.9.9/SHA256SUMS", Buffer.from(`${"0".repeat(64)}  other.zip\n`));
    await expect(fetchRelease({ ...PLATFORM, workDir: dir, baseUrl })).rejects.toThrow(
      /does not list/,
    );
  });

  it("names the address and the status of a release that is not there", async () => {
    await expect(fetchRelease({ ...PLATFORM, workDir: dir, baseUrl })).rejects.toThrow(
      /SHA256SUMS: HTTP 404/,
    );
  });
});

describe("releaseFolder", () => {
  it("follows the names of the published archives", () => {
    expect(releaseFolder("2.15.2", "darwin", "arm64")).toBe("nats-server-v2.15.2-darwin-arm64");
    expect(releaseFolder("2.15.2", "win32", "x64")).toBe("nats-server-v2.15.2-windows-amd64");
    expect(() => releaseFolder("2.15.2", "aix", "ppc64")).toThrow(/publishes no release/);
  });
});
