import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { launchServer } from "./launch.ts";

/** Notes its own pid, and what the lock says as it begins. */
const SERVER = `#!/bin/sh
[ "$1" != --version ] || { echo "nats-server: v2.15.2"; exit; }
dir=$(dirname "$2")
printf '{"pid":%s,"lock":%s}' $$ "$(cat "$dir/millrace-server.lock")" > "$dir/seen"
echo "Server is ready" >&2
exec sleep 600
`;

async function scene() {
  const dir = await mkdtemp(join(tmpdir(), "millrace-store-lock-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
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
