import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { launchServer } from "./launch.ts";
import { lockStore } from "./store-lock.ts";

/** Notes its own pid, and what the lock says as it begins. */
const SERVER = `#!/bin/sh
[ "$1" != --version ] || { echo "nats-server: v2.15.2"; exit; }
dir=$(dirname "$2")
printf '{"pid":%s,"lock":%s}' $$ "$(cat "$dir/millrace-server.lock")" > "$dir/seen"
echo "Server is ready" >&2
exec sleep 600
`;

async function scene(later: typeof onTestFinished = onTestFinished) {
  const dir = await mkdtemp(join(tmpdir(), "millrace-store-lock-"));
  later(() => rm(dir, { recursive: true, force: true }));
  const [path, storeDir] = [join(dir, "server"), join(dir, "store")];
  await writeFile(path, SERVER);
  await chmod(path, 0o755);
  await mkdir(storeDir);
  return { path, storeDir, lock: join(storeDir, "millrace-server.lock") };
}

test("the lock of a store names its server before that begins: whoever launches it may die at any moment", async () => {
  const { path, storeDir } = await scene();
  await using server = await launchServer({ path, storeDir });
  const seen = JSON.parse(await readFile(join(storeDir, "seen"), "utf8")) as {
    readonly pid: number;
    readonly lock: object;
  };
  expect(seen).toMatchObject({ pid: server.pid, lock: { pid: server.pid, url: server.url } });
});

test("a server that the lock can't name never begins", async () => {
  const { path, storeDir, lock } = await scene();
  await mkdir(`${lock}.new`);
  await expect(launchServer({ path, storeDir })).rejects.toThrow();
  for (const file of ["seen", "millrace-server.lock"])
    await expect(stat(join(storeDir, file))).rejects.toMatchObject({ code: "ENOENT" });
});

const ABANDONED = JSON.stringify({ pid: 2 ** 30, url: "nats://127.0.0.1:1" });

/** As one leaves it that was killed while it took the lock over. */
async function leaveTurn(lock: string, agoMs: number): Promise<void> {
  await mkdir(`${lock}.takeover`);
  const at = new Date(Date.now() - agoMs);
  await utimes(`${lock}.takeover`, at, at);
}

test.each([
  ["is abandoned", async () => {}],
  ["is abandoned, and its taking over too", (lock: string) => leaveTurn(lock, 60_000)],
])("of many that find at once that a lock %s one takes it over", async (_, leave) => {
  const round = async (): Promise<number> => {
    const { storeDir, lock } = await scene();
    await writeFile(lock, ABANDONED);
    await leave(lock);
    const asked = Array.from({ length: 6 }, (_one, n) =>
      lockStore(storeDir, `nats://127.0.0.1:${n}`),
    );
    const ends = await Promise.allSettled(asked);
    return ends.filter(({ status }) => status === "fulfilled").length;
  };
  const holders = await Promise.all(Array.from({ length: 40 }, round));
  expect(holders).toEqual(holders.map(() => 1));
});

test.each([
  ["a minute ago", 60_000],
  ["in an hour, as the clock was then", -3_600_000],
])("one that was killed %s while it took a lock over holds nobody up", async (_, agoMs) => {
  const { storeDir, lock } = await scene();
  await writeFile(lock, ABANDONED);
  await leaveTurn(lock, agoMs);
  (await lockStore(storeDir, "nats://127.0.0.1:2")).release();
  expect(await readdir(storeDir)).toEqual([]);
});

test("an empty lock whose time is in the future is its maker's no more", async () => {
  const { storeDir, lock } = await scene();
  await writeFile(lock, "");
  const at = new Date(Date.now() + 3_600_000);
  await utimes(lock, at, at);
  (await lockStore(storeDir, "nats://127.0.0.1:2")).release();
  expect(await readdir(storeDir)).toEqual([]);
});

test("a lock that somebody else has by now is not handed on", async () => {
  const { storeDir, lock } = await scene();
  const held = await lockStore(storeDir, "nats://127.0.0.1:2");
  const theirs = JSON.stringify({ pid: process.pid, url: "nats://127.0.0.1:3" });
  await writeFile(lock, theirs);
  await expect(held.hand(process.pid)).rejects.toMatchObject({
    code: "store-in-use",
    message: expect.stringContaining("nats://127.0.0.1:3") as string,
  });
  held.release();
  expect(await readFile(lock, "utf8")).toBe(theirs);
});

const PATIENT = { timeout: 60_000, interval: 100 };
const ELSEWHERE = { pid: 2 ** 30, url: "nats://127.0.0.1:1", place: "another container" };

// Each waits for many seconds.
describe.concurrent("a lock of another container", () => {
  test("a store of another container's server is its own for as long as it touches its lock", async ({
    onTestFinished: later,
  }) => {
    const { storeDir, lock } = await scene(later);
    await writeFile(lock, JSON.stringify(ELSEWHERE));
    const touching = setInterval(() => void utimes(lock, new Date(), new Date()), 200);
    await expect(lockStore(storeDir, "nats://127.0.0.1:2")).rejects.toMatchObject({
      code: "store-in-use",
    });
    clearInterval(touching);
    const longAgo = new Date(Date.now() - 31_000);
    await utimes(lock, longAgo, longAgo);
    const held = await lockStore(storeDir, "nats://127.0.0.1:2");
    await utimes(lock, longAgo, longAgo);
    const isTouched = async (): Promise<void> => {
      const { mtimeMs } = await stat(lock);
      expect(mtimeMs).toBeGreaterThan(longAgo.getTime() + 1_000);
    };
    await vi.waitFor(isTouched, PATIENT);
    held.release();
    expect(await readdir(storeDir)).toEqual([]);
  });

  test("a lock of another container whose time is in the future is taken over when nobody has touched it for long", async ({
    onTestFinished: later,
  }) => {
    const { storeDir, lock } = await scene(later);
    await writeFile(lock, JSON.stringify(ELSEWHERE));
    const at = new Date(Date.now() + 7_200_000);
    await utimes(lock, at, at);
    const from = performance.now();
    (await lockStore(storeDir, "nats://127.0.0.1:2")).release();
    expect(performance.now() - from).toBeGreaterThan(29_000);
    expect(await readdir(storeDir)).toEqual([]);
  });

  test("a server whose lock another one has by now is killed, and leaves that lock alone", async ({
    onTestFinished: later,
  }) => {
    const { path, storeDir, lock } = await scene(later);
    await using server = await launchServer({ path, storeDir });
    await writeFile(lock, JSON.stringify(ELSEWHERE));
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock, longAgo, longAgo);
    await server.exited;
    expect(server.state).toBe("ended");
    expect(await readFile(lock, "utf8")).toBe(JSON.stringify(ELSEWHERE));
    expect((await stat(lock)).mtimeMs).toBeLessThan(longAgo.getTime() + 1_000);
  });
});
