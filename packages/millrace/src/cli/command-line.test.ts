import { MillraceError } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { type CommandLine, readCommandLine } from "./command-line.ts";
import { COMMANDS } from "./command-list.ts";

function parse(line: string): CommandLine {
  return readCommandLine(line === "" ? [] : line.split(" "), COMMANDS);
}

function messageOf(line: string): string {
  try {
    parse(line);
  } catch (error) {
    if (MillraceError.is(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
}

test("a command with its arguments and flags, in any order after its name", () => {
  expect(
    parse("enqueue mail.welcome {} --queue mail --json --delay=5m --server nats://x --tags a,b"),
  ).toMatchObject({
    kind: "run",
    command: { name: "enqueue" },
    args: ["mail.welcome", "{}"],
    json: true,
    flags: { queue: "mail", delay: "5m", tags: ["a", "b"] },
    fields: { servers: "nats://x" },
  });
  expect(parse("dead retry --all --queue mail a")).toMatchObject({
    command: { name: "dead retry" },
    args: ["a"],
    flags: { all: true, queue: "mail" },
  });
  expect(parse("enqueue n -- -1")).toMatchObject({ args: ["n", "-1"] });
  expect(parse("enqueue n -")).toMatchObject({ args: ["n", "-"] });
});

test.each([
  ["", undefined],
  ["--help", undefined],
  ["-h", undefined],
  ["help", undefined],
  ["enqueue --help", "enqueue"],
  ["help enqueue", "enqueue"],
  ["dead list -h", "dead list"],
  ["help dead list", "dead list"],
  ["dead --help", undefined],
] as const)("%j asks for help", (line, name) => {
  const read = parse(line);
  expect(read.kind).toBe("help");
  expect(read.kind === "help" ? read.command?.name : "").toBe(name);
});

test("version", () => {
  expect(parse("--version").kind).toBe("version");
});

describe("a wrong line says what is wrong and where to read more", () => {
  test.each([
    ["enqeue x", /no command "enqeue"\. Did you mean enqueue\? See millrace --help\.$/],
    ["job get a", /no command "job"\. Did you mean jobs get\?/],
    ["jbos gte a", /no command "jbos"\. Did you mean jobs get\?/],
    ["job", /no command "job"\. Did you mean jobs\?/],
    ["jobs gte a", /jobs needs one of: jobs get, .*\. Did you mean jobs get\?$/],
    ["queues puase mail", /queues takes no arguments; got 2\. Did you mean queues pause\?$/],
    ["help enqeue", /no command "enqeue"\. Did you mean enqueue\?/],
    ["enqeue --help", /no command "enqeue"\. Did you mean enqueue\?/],
    ["zzz", /no command "zzz"\. See millrace --help\.$/],
    ["dev --prot 1", /'--prot'\. Did you mean --port\? See millrace dev --help\.$/],
    ["dev --prot=1", /'--prot'\. Did you mean --port\?/],
    ["dev -port 1", /'-p'\. Did you mean --port\?/],
    ["dead list --reson=x", /'--reson'\. Did you mean --reason\?/],
    ["queues --sever nats://ada:hunter2@x", /'--sever'\. Did you mean --server\?(?!.*hunter2)/],
    ["dead", /dead needs one of: dead list, dead show, dead retry, dead discard/],
    ["dead remove", /dead needs one of: .*dead edit\.$/],
    ["--queue mail queues", /The command comes first/],
    ["queues --colour", /'--colour'\. See millrace queues --help\.$/],
    ["queues extra", /takes no arguments/],
    ["jobs get", /needs ID/],
    ["enqueue", /needs NAME/],
    ["enqueue a b c", /Quote a JSON payload/],
    ["enqueue a --max-attempts 0", /--max-attempts: must be a whole number from 1/],
    ["enqueue a --at tomorrow", /--at: must be a time/],
    ["enqueue a --priority urgent", /--priority: must be one of high, normal, low; got "urgent"/],
    ["enqueue a --delay", /--delay/],
    ["enqueue a --token x", /--token/],
  ])("%s", (line, message) => {
    expect(messageOf(line)).toMatch(/^invalid-option: /);
    expect(messageOf(line)).toMatch(message);
  });
});
