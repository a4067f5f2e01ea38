import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import type { ErrorEntry } from "./doc-pages.ts";
import { type CliIo, plain } from "./io.ts";
import { main } from "./main.ts";
import { SIGNALS } from "./serving/early-signals.ts";

const ERRORS_PAGE = readFileSync(new URL("../../../../docs/errors.md", import.meta.url), "utf8");

async function run(
  line: string,
  env: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  const streams = { out: "", err: "" };
  const io: CliIo = {
    env,
    cwd: import.meta.dirname,
    paint: plain,
    paintErr: plain,
    out: (text) => void (streams.out += String(text)),
    err: (text) => void (streams.err += text),
    progress: () => {},
    readStdin: () => Promise.resolve("{"),
    ask: () => Promise.resolve(undefined),
  };
  return { code: await main(line.split(" "), io), ...streams };
}

// A node that does not come to start leaves its listeners to the end of its process, which is near.
afterEach(() => {
  for (const signal of SIGNALS) process.removeAllListeners(signal);
});

test.each([
  ["queues --nope", 2, "invalid-option"],
  ["completion bsh", 2, "invalid-option"],
  ["enqueue two..dots", 2, "invalid-name"],
  ["enqueue n -", 2, "invalid-payload"],
  ["enqueue n @missing.json", 2, "invalid-option"],
  ["run missing.ts", 2, "job-file-failed"],
  ["run", 2, "no-jobs"],
  ["run main.ts", 2, "no-jobs"],
  ["dead retry", 2, "invalid-option"],
  ["dead discard x", 2, "invalid-option"],
  ["dead discard x * --yes", 2, "invalid-name"],
  ["dead retry >", 2, "invalid-name"],
  // More than a timer of Node takes, which would be over at once.
  ["top --every 30d", 2, "invalid-option"],
  ["jobs watch --for 30d", 2, "invalid-option"],
  ["healthcheck --timeout 60d", 2, "invalid-option"],
  ["queues --connect-timeout 30d", 2, "invalid-option"],
  ["queues --config missing.json", 2, "invalid-option"],
  ["queues --server nats://127.0.0.1:1", 3, "server-unreachable"],
])(
  "%s exits with %i and says %s, on stderr for people and on stdout for scripts",
  async (line, code, error) => {
    const human = await run(line);
    expect(human).toMatchObject({ code, out: "" });
    expect(human.err).toContain(`(${error})`);
    const machine = await run(`${line} --json`);
    expect(machine).toMatchObject({ code, err: "" });
    expect(JSON.parse(machine.out)).toMatchObject({
      error: { code: error, message: expect.any(String) as string },
    });
  },
);

test.each([
  "queues --nope",
  "enqueue two..dots",
  "run missing.ts",
  "queues --server nats://127.0.0.1:1",
])(
  "what is printed for %s ends with the command that prints its entry in docs/errors.md",
  async (line) => {
    const { err } = await run(line);
    const [, code = "", more = ""] =
      /\(([a-z-]+)\)\n {2}More: npx millrace (docs [a-z-]+)\n$/.exec(err) ?? [];
    expect(more, err).toBe(`docs ${code}`);
    const { code: exit, out } = await run(`${more} --json`);
    const entry = JSON.parse(out) as ErrorEntry;
    expect({ exit, code: entry.code }).toEqual({ exit: 0, code });
    expect(ERRORS_PAGE).toContain(`| \`${code}\` `);
    expect(ERRORS_PAGE).toContain(entry.advice);
  },
);

test("each reason for a dead letter can be asked for", async () => {
  const { out } = await run("dead list --help");
  for (const reason of ["parked-full", "next-not-allowed", "fatal"]) expect(out).toContain(reason);
});

test.each([
  ["retreis", / Did you mean retries\? /],
  ["publish-timout", / Did you mean publish-timeout\? /],
  ["zzqqxx", /"zzqqxx"\. millrace docs/],
])("docs %s says which page may be meant", async (topic, said) => {
  const { code, out } = await run(`docs ${topic}`);
  expect(code).toBe(1);
  expect(out).toMatch(said);
});

test("help and version go to stdout", async () => {
  expect(await run("--help")).toMatchObject({ code: 0, err: "" });
  expect((await run("--version")).out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test("a wrong environment variable is named", async () => {
  expect((await run("queues", { MILLRACE_SERVERS: "," })).err).toContain("MILLRACE_SERVERS");
});

test("no password of a server's URL is shown", async () => {
  const { err } = await run("queues --server nats://ada:hunter2@127.0.0.1:1");
  expect(err).toContain("127.0.0.1:1");
  expect(err).not.toContain("hunter2");
});

test("a healthcheck without a node fails and says so", async () => {
  const { code, out } = await run("healthcheck --health-port 1 --json");
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ healthy: false, probe: "ready" });
});
