import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { endTurn, takeTurn } from "./turn.ts";

async function place(): Promise<{ readonly dir: string; readonly path: string }> {
  const dir = await mkdtemp(join(tmpdir(), "millrace-turn-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return { dir, path: join(dir, "turn") };
}

/** As one leaves it that was killed in its turn. */
async function leaveTurn(path: string, agoMs: number): Promise<void> {
  await mkdir(path);
  const at = new Date(Date.now() - agoMs);
  await utimes(path, at, at);
}

test("one at a time has its turn", async () => {
  const { dir, path } = await place();
  const mine = await takeTurn(path);
  expect(await takeTurn(path)).toBeUndefined();
  await mine?.end();
  await (await takeTurn(path))?.end();
  expect(await readdir(dir)).toEqual([]);
});

test.each([
  ["a minute ago", 60_000],
  ["in an hour, by a clock that was set back since", -3_600_000],
])("a turn that was taken %s is abandoned", async (_, agoMs) => {
  const { path } = await place();
  await leaveTurn(path, agoMs);
  expect(await takeTurn(path)).toBeUndefined();
  expect(await takeTurn(path)).toBeDefined();
});

test("who found a turn abandoned does not end the one that another has taken since", async () => {
  const { dir, path } = await place();
  await leaveTurn(path, 60_000);
  const seen = await stat(path);
  await takeTurn(path);
  const theirs = await takeTurn(path);
  await endTurn(path, seen);
  expect(await takeTurn(path)).toBeUndefined();
  await theirs?.end();
  expect(await readdir(dir)).toEqual([]);
});

test("who comes back late from its turn does not end another's", async () => {
  const { path } = await place();
  const mine = await takeTurn(path);
  await rename(path, `${path}.before`);
  await takeTurn(path);
  await mine?.end();
  expect(await takeTurn(path)).toBeUndefined();
});
