import { expect, onTestFinished, test } from "vitest";
import { ProcessGroup } from "./process-group.ts";

/** As where the machine has no process left to give. */
function withoutProcesses(): () => void {
  const { execPath } = process;
  process.execPath = "/nowhere/node";
  const restore = (): void => void (process.execPath = execPath);
  onTestFinished(restore);
  return restore;
}

const options = (warned: string[]) => ({
  ...{ count: 2, script: "none.js", args: [], nodeArgs: [] },
  warn: (line: string) => void warned.push(line),
});

test("a group whose processes can't be started ends, and says why", async () => {
  withoutProcesses();
  const warned: string[] = [];
  const group = new ProcessGroup(options(warned));
  expect(await group.ended).toBe(1);
  expect(warned.join()).toContain("ENOENT");
});

test("what a handler or a library sends to the group is none of the group's", async () => {
  const sends = `for (const sent of [null, "ready", {}, { kind: "serving" }]) process.send(sent);
    await new Promise((sent) => process.send({ kind: "listening" }, sent));
    process.exit(0);`;
  const group = new ProcessGroup({
    ...options([]),
    count: 1,
    nodeArgs: ["--import", `data:text/javascript,${encodeURIComponent(sends)}`],
  });
  let hasServed = false;
  void group.served.then(() => (hasServed = true));
  expect(await group.ended).toBe(0);
  expect(hasServed).toBe(false);
});
