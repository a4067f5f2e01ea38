import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startChild } from "./child.ts";
import { outOfCluster } from "./cluster/out-of-cluster.ts";

const PROGRAM = join(import.meta.dirname, "fixtures", "child-program.ts");
type Ready = { readonly ready: true; readonly color: string };
const isReady = (message: unknown): message is Ready =>
  typeof message === "object" && message !== null && "ready" in message;

describe("startChild", () => {
  it("gives arguments and environment, and hears lines and messages", async () => {
    const child = startChild(PROGRAM, { args: ["a", "b"], env: { COLOR: "green" } });
    await expect(child.line(/^ready/, 10_000)).resolves.toBe("ready with a b");
    await expect(child.message(isReady, 10_000)).resolves.toEqual({ ready: true, color: "green" });
    child.send({ say: "hello" });
    await child.line(/^said hello$/, 10_000);
    child.send({ exit: 7 });
    await expect(child.exit(90_000)).resolves.toEqual({ code: 7, signal: null });
  });

  it("hears each of many messages that come in one turn, one call after the other", async () => {
    outOfCluster();
    const child = startChild(PROGRAM);
    await child.message(isReady, 10_000);
    const isCount = (message: unknown): message is { readonly count: number } =>
      typeof message === "object" && message !== null && "count" in message;
    const first = child.message(isCount, 10_000);
    child.send({ countTo: 100 });
    const heard = [(await first).count];
    while (heard.length < 100) heard.push((await child.message(isCount, 10_000)).count);
    expect(heard).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
  });

  it("kills with real signals", async () => {
    const child = startChild(PROGRAM);
    await child.message(isReady, 10_000);
    child.signal("SIGKILL");
    await expect(child.exit(90_000)).resolves.toEqual({ code: null, signal: "SIGKILL" });
  });

  it("freezes and thaws", async () => {
    outOfCluster();
    const child = startChild(PROGRAM);
    await child.message(isReady, 10_000);
    await child.freeze();
    child.send({ say: "late" });
    await expect(child.line(/^said late$/, 100)).rejects.toThrow(/not within 100 ms/);
    child.signal("SIGCONT");
    await child.line(/^said late$/, 10_000);
  });

  it("fails with the output when a line does not come, and at once when the child has ended", async () => {
    outOfCluster();
    const child = startChild(PROGRAM, { args: ["x"] });
    await child.message(isReady, 10_000);
    await expect(child.line(/never/, 20)).rejects.toThrow(
      /a line like \/never\/ from .*\n.*ready with x/,
    );
    child.send({ exit: 0 });
    await expect(child.line(/never/, 60_000)).rejects.toThrow(/ended without a line like/);
  });
});
