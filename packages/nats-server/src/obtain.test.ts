import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MillraceError } from "@millrace/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BUILD_WAYS, type BuildWay } from "./build-ways.ts";
import { obtainServer } from "./obtain.ts";
import { PINNED_ARCHIVES } from "./pinned-releases.ts";
import { RELEASES } from "./version.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-obtain-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** A program that answers `--version` as a server of that version does. */
async function fakeServer(path: string, version: string): Promise<string> {
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho 'nats-server: v${version}'\n`);
  await chmod(path, 0o755);
  return path;
}

function wayThatMakes(version: string, onMake: () => void = () => {}): BuildWay {
  return {
    name: "test way",
    make: ({ workDir }) => {
      onMake();
      return fakeServer(join(workDir, "nats-server"), version);
    },
  };
}

const refused: BuildWay = {
  name: "refused way",
  make: () => Promise.reject(new Error("not today")),
};

describe.skipIf(process.platform === "win32")("obtainServer", () => {
  it("uses the binary that the environment names, per generation", async () => {
    const newest = await fakeServer(join(dir, "a", "any-name"), "2.14.5");
    const old = await fakeServer(join(dir, "b", "any-name"), "2.10.27");
    const env = { NATS_SERVER: newest, NATS_SERVER_OLD: old };
    await expect(obtainServer({ env, cacheDir: dir })).resolves.toEqual({
      path: newest,
      version: "2.14.5",
      source: "NATS_SERVER",
    });
    await expect(obtainServer({ env, cacheDir: dir, generation: "2.10" })).resolves.toMatchObject({
      path: old,
    });
  });

  it("lets 2.11 stand in the old one's place where it is named, and only there", async () => {
    const generation = "2.10";
    const path = await fakeServer(join(dir, "path", "nats-server"), "2.11.17");
    const named = obtainServer({ env: { NATS_SERVER_OLD: path }, cacheDir: dir, generation });
    await expect(named).resolves.toMatchObject({ version: "2.11.17" });
    const found = await obtainServer({
      ...{ env: { PATH: join(dir, "path") }, cacheDir: dir, generation },
      buildWays: [wayThatMakes("2.10.29")],
    });
    expect(found.version).toBe("2.10.29");
  });

  it("refuses a named binary that is too old instead of taking another", async () => {
    const env = { NATS_SERVER: await fakeServer(join(dir, "old"), "2.9.10") };
    const failure = obtainServer({ env, cacheDir: dir, buildWays: [wayThatMakes("2.15.2")] });
    await expect(failure).rejects.toMatchObject({ code: "server-unavailable" });
    await expect(failure).rejects.toThrow(/is version 2\.9\.10/);
  });

  it("passes over an older one on the PATH and takes the next", async () => {
    await fakeServer(join(dir, "a", "nats-server"), "2.9.10");
    const good = await fakeServer(join(dir, "b", "nats-server"), "2.11.3");
    const env = { PATH: `${join(dir, "a")}:${join(dir, "b")}` };
    await expect(obtainServer({ env, cacheDir: dir })).resolves.toMatchObject({
      path: good,
      source: "PATH",
    });
  });

  it("makes one, keeps it in the cache, and finds it there the next time", async () => {
    let made = 0;
    const options = {
      env: {},
      cacheDir: join(dir, "cache"),
      buildWays: [refused, wayThatMakes("2.15.2", () => made++)],
    };
    await expect(obtainServer(options)).resolves.toMatchObject({ source: "test way" });
    await expect(obtainServer(options)).resolves.toMatchObject({
      source: "cache",
      version: "2.15.2",
    });
    expect(made).toBe(1);
    expect(await readdir(options.cacheDir)).toEqual(["nats-server-v2.15.2"]);
  });

  it("names the version that each way brings", async () => {
    const told: string[] = [];
    const buildWays = BUILD_WAYS.map((way) => ({ ...way, make: refused.make }));
    const failure = obtainServer({
      ...{ env: {}, cacheDir: join(dir, "none"), buildWays },
      onProgress: (line) => void told.push(line),
    });
    await expect(failure).rejects.toMatchObject({ code: "server-unavailable" });
    expect(told).toEqual([
      `obtaining nats-server ${RELEASES.newest} by go install`,
      "obtaining nats-server by apt-get",
      `obtaining nats-server ${PINNED_ARCHIVES.newest.version} by release archive`,
    ]);
  });

  it("lets one of several callers make it", async () => {
    let made = 0;
    const options = {
      env: {},
      cacheDir: join(dir, "cache"),
      buildWays: [wayThatMakes("2.15.2", () => made++)],
    };
    const found = await Promise.all([1, 2, 3, 4].map(() => obtainServer(options)));
    expect(made).toBe(1);
    expect(new Set(found.map(({ path }) => path)).size).toBe(1);
  });

  it("takes over the lock of an installer that died", async () => {
    const cacheDir = join(dir, "cache");
    const lock = join(cacheDir, "nats-server-v2.15.2.lock");
    await mkdir(lock, { recursive: true });
    // No process has this pid: it is above every system's limit.
    await writeFile(join(lock, "owner"), String(2 ** 30));
    await expect(
      obtainServer({ env: {}, cacheDir, buildWays: [wayThatMakes("2.15.2")] }),
    ).resolves.toMatchObject({ source: "test way" });
  });

  it("says what was tried and what to do when nothing led to a server", async () => {
    const failure = await obtainServer({
      env: { PATH: "" },
      cacheDir: join(dir, "cache"),
      buildWays: [refused, wayThatMakes("2.9.1")],
    }).catch((error: unknown) => error);
    expect(MillraceError.is(failure, "server-unavailable")).toBe(true);
    const { message } = failure as MillraceError;
    for (const part of [
      "NATS_SERVER",
      "PATH",
      "install Go",
      "refused way: not today",
      "it gave version 2.9.1",
    ]) {
      expect(message).toContain(part);
    }
  });

  it("stops when it is told to", async () => {
    const stop = new AbortController();
    const waits: BuildWay = {
      name: "waits",
      make: () => {
        stop.abort(new Error("enough"));
        return Promise.reject(new Error("interrupted"));
      },
    };
    await expect(
      obtainServer({
        env: {},
        cacheDir: join(dir, "cache"),
        buildWays: [waits],
        signal: stop.signal,
      }),
    ).rejects.toThrow("enough");
  });
});
