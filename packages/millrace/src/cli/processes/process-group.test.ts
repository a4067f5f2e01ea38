import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
  const about = { node: "n", servers: [], queues: [], jobs: [], schedules: [] };
  const foreign = [
    ...[null, "ready", {}, { kind: "serving" }, { kind: "listening", url: "x" }],
    ...[{ kind: "stopped" }, { kind: "serving", about: { ...about, machines: [] } }],
    ...[
      { kind: "serving", about: {} },
      { kind: "serving", about },
      { kind: "listening", url: "x" },
    ]
      // As if one had the group's own name.
      .map((message) => ({ from: "millrace-group", ...message })),
  ];
  const sends = `for (const sent of ${JSON.stringify(foreign)}) process.send(sent);
    await new Promise((sent) => process.send({ kind: "listening" }, sent));
    process.exit(0);`;
  const group = new ProcessGroup({
    ...options([]),
    count: 1,
    nodeArgs: ["--import", `data:text/javascript,${encodeURIComponent(sends)}`],
  });
  let hasServed = false;
  void group.served.then(() => (hasServed = true));
  expect(await group.ended).toBe(1);
  expect(hasServed).toBe(false);
});

/** Each life of the only process of a group, in order. */
async function livesOf(...lives: readonly string[]) {
  const dir = await mkdtemp(join(tmpdir(), "millrace-lives-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const script = `import { mkdirSync } from "node:fs";
    const send = (message) => new Promise((sent) => process.send(message, sent));
    const say = (message) => send({ from: "millrace-group", ...message });
    const lists = { servers: [], queues: [], jobs: [], schedules: [], machines: [] };
    const serve = () => say({ kind: "serving", about: { node: "n", ...lists } });
    const made = (n) => { try { mkdirSync(${JSON.stringify(`${dir}/`)} + n); return true; } catch { return false; } };
    ${lives.map((life, n) => `if (made(${n})) { ${life}; process.exit(0); }`).join("\n")}`;
  const warned: string[] = [];
  const group = new ProcessGroup({
    ...options(warned),
    count: 1,
    nodeArgs: ["--import", `data:text/javascript,${encodeURIComponent(script)}`],
  });
  return { code: await group.ended, warned };
}

test("an address where nobody can be asked is no end of the group", async () => {
  const { code, warned } = await livesOf(
    "await say({ kind: 'listening', url: 'ftp://x' }); await serve(); await say({ kind: 'stopped' })",
  );
  expect({ code, warned }).toEqual({ code: 0, warned: [] });
});

test("a process that ends by itself with exit code 0 is started again, one whose node was stopped is not", async () => {
  const { code, warned } = await livesOf(
    "await serve()",
    "await serve(); await say({ kind: 'stopped' })",
  );
  expect(code).toBe(0);
  expect(warned).toEqual(["process 1 has died (code 0), and is started again in 1 s"]);
});

test("a process that ends before it serves, with exit code 0 too, ends the group, which has failed", async () => {
  expect(await livesOf("await say(null)")).toEqual({ code: 1, warned: [] });
});

test("a process whose node is stopped before it serves has not failed", async () => {
  expect(await livesOf("await say({ kind: 'stopped' })")).toEqual({ code: 0, warned: [] });
});
