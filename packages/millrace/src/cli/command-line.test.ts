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
    ["enqeue x", /no command "enqeue".*--help/],
    ["dead", /dead needs one of: dead list, dead show, dead retry, dead discard/],
    ["dead remove", /dead needs one of/],
    ["--queue mail queues", /The command comes first/],
    ["queues --colour", /--colour.*millrace queues --help/],
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
