// The Dockerfiles of the pages: their syntax, and that what they name is there.
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { validate } from "dockerfile-utils";
import { describe, expect, test } from "vitest";
import { readCommandLine } from "../../packages/millrace/src/cli/command-line.ts";
import { COMMANDS } from "../../packages/millrace/src/cli/command-list.ts";
import { pageSnippets } from "./snippets.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const OWN = read("deploy/Containerfile");
/** `node:24-bookworm-slim`, as the repository's own image names it before its digest. */
const NODE_IMAGE = /NODE_IMAGE=docker\.io\/library\/([^@\s]+)@/.exec(OWN)?.[1] ?? "";
/** What `docker build -t millrace` of docs/deploy.md makes. */
const OWN_IMAGE = "millrace";
/** Where that image looks for jobs, by its `WORKDIR` and its `MILLRACE_JOBS`. */
const OWN_JOBS = `${/^WORKDIR (\S+)$/m.exec(OWN.split(/^FROM /m).at(-1) ?? "")?.[1]}/${
  /MILLRACE_JOBS=(\S+)/.exec(OWN)?.[1]
}`;
/** What a project has by its package manager, and the folder of its jobs. */
const ANY_PROJECT = ["package.json", "package-lock.json", "jobs"];

const FILES = [
  ...pageSnippets("dockerfile").map(({ page, line, text }) => ({
    ...{ name: `${page}:${line}`, text, beside: "" },
  })),
  { name: "the tutorial's", text: read("examples/tutorial/Containerfile"), beside: "tutorial" },
];

describe.each(FILES)("the Dockerfile of $name", ({ text, beside }) => {
  test("has the syntax of one, and names what is there", () => {
    expect(faultsOf(text, beside)).toEqual([]);
  });
});

test("the repository's own Containerfile has the syntax of one", () => {
  expect(validate(OWN).map(({ message }) => message)).toEqual([]);
  expect([NODE_IMAGE, OWN_JOBS]).toEqual([expect.stringMatching(/^node:\d+/), "/app/jobs"]);
});

test.each([
  ["COPPY jobs /app/jobs", "Unknown instruction: COPPY"],
  ["COPY jobs", "COPY requires at least two arguments"],
  ["COPY --from=package /a /b", "there is no stage package"],
  ["COPY job.ts ./", "there is no file job.ts"],
  ['CMD ["node", "worker.js"]', "there is no file worker.js"],
  ['HEALTHCHECK CMD ["npx", "millrace", "helthcheck"]', "no command: millrace helthcheck"],
])("one that is wrong is told: %s", (line, said) => {
  const faults = faultsOf(`FROM ${NODE_IMAGE}\n${line}\n`, "tutorial");
  expect(faults).toEqual([said]);
});

test("an image that nobody makes is told", () => {
  expect(faultsOf("FROM node:4\n", "")).toEqual(["nobody makes the image node:4"]);
});

function faultsOf(text: string, beside: string): readonly string[] {
  const lines = text.replace(/\\\n/g, " ").split("\n");
  const stages = lines.flatMap((line) => /^FROM \S+ AS (\S+)$/.exec(line)?.[1] ?? []);
  const isThere = (file: string): boolean =>
    ANY_PROJECT.includes(file) ||
    (beside !== "" && existsSync(join(ROOT, "examples", beside, file)));
  return [
    ...validate(text).map(({ message }) => String(message)),
    ...lines.flatMap((line) => [
      ...imageFault(line, stages),
      ...copyFaults(line, stages, isThere),
      ...programFaults(line, isThere),
    ]),
  ];
}

function imageFault(line: string, stages: readonly string[]): readonly string[] {
  const image = /^FROM (\S+)/.exec(line)?.[1];
  if (image === undefined || [NODE_IMAGE, OWN_IMAGE, ...stages].includes(image)) return [];
  return [`nobody makes the image ${image}`];
}

function copyFaults(
  line: string,
  stages: readonly string[],
  isThere: (file: string) => boolean,
): readonly string[] {
  const [, from, rest] = /^COPY (?:--from=(\S+) )?(.+)$/.exec(line) ?? [];
  if (rest === undefined) return [];
  const files = rest.split(" ");
  // The validator says that a line has too few.
  if (files.length < 2) return [];
  if (from !== undefined) return stages.includes(from) ? [] : [`there is no stage ${from}`];
  const to = files.at(-1) ?? "";
  return [
    ...files.slice(0, -1).filter((file) => !isThere(file)),
    ...(to.startsWith("/") && to !== OWN_JOBS ? [to] : []),
  ].map((file) => `there is no file ${file}`);
}

/** Of lines that start a program with its arguments as a list. */
function programFaults(line: string, isThere: (file: string) => boolean): readonly string[] {
  const [list] = /\[.*\]$/.exec(line) ?? [];
  if (list === undefined) return [];
  const [program, ...args] = JSON.parse(list) as string[];
  if (program === "node") {
    const [file = ""] = args;
    return isThere(file) ? [] : [`there is no file ${file}`];
  }
  if (program !== "npx" || args[0] !== "millrace") return [`nobody says what ${program} is`];
  try {
    readCommandLine(args.slice(1), COMMANDS);
    return [];
  } catch {
    return [`no command: ${args.join(" ")}`];
  }
}
