import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { readCommandLine } from "../../packages/millrace/src/cli/command-line.ts";
import { COMMANDS } from "../../packages/millrace/src/cli/command-list.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const { packageManager, scripts } = JSON.parse(
  readFileSync(join(ROOT, "package.json"), "utf8"),
) as { readonly packageManager: string; readonly scripts: Readonly<Record<string, string>> };

/** Other people's programs: their flags are theirs to check. */
const OTHERS = ["nats", "nats-server", "curl", "esbuild", "export", "cd", "corepack"];
const CONTAINERS = ["docker", "podman", "buildah", "helm"];
/** With one of these begins a line that is typed, also in a block that is not called shell code. */
const PROGRAMS = ["npx", "millrace", "npm", "pnpm", "node", ...OTHERS, ...CONTAINERS];
const OWN_COMMANDS = ["install", "init", "pkg", "create"];

/** What a reader types: the lines of shell code, without their comments. */
export function shellLines(text: string): readonly string[] {
  return [...text.matchAll(/(<!-- file: \S+ -->\n+)?^```(sh|text)\n([\s\S]*?)^```/gm)]
    .filter(([, file]) => file === undefined)
    .flatMap(([, , language, code = ""]) =>
      code
        .replace(/\\\n\s*/g, " ")
        .split("\n")
        .filter((line) => language === "sh" || PROGRAMS.includes(line.split(" ", 1)[0] ?? "")),
    )
    .map((line) => line.replace(/(^|\s+)# .*$/, "").trim())
    .filter((line) => line !== "");
}

/** Command lines of `millrace` that stand in a sentence. */
export function millraceLines(text: string): readonly string[] {
  const inSentences = [...text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/`([^`]+)`/g)];
  return inSentences
    .map(([, code = ""]) => code.replace(/\s+/g, " "))
    .filter((line) => /^(npx )?millrace [a-z]/.test(line))
    .map((line) => line.replace(/ *[#|].*$/, ""))
    .filter((line) => !line.includes("…"));
}

/** What is wrong with a line, if anything. `written` are the files that its page says to write. */
export function problemOf(line: string, written: readonly string[]): string | undefined {
  const words = wordsOf(line.replace(/^([A-Z_]+=\S+ )+/, ""));
  const [program = "", ...args] = words;
  if (program === "npx") return problemOfNpx(args);
  if (program === "millrace") return problemOfMillrace(args);
  if (program === "npm") return problemOfNpm(args);
  if (program === "pnpm") return problemOfScript(args);
  if (program === "node") return problemOfNode(args, written);
  if (CONTAINERS.includes(program)) return problemOfFiles(args);
  return OTHERS.includes(program) ? undefined : `nobody says what ${program} is`;
}

/**
 * A command that is only named may leave out what it needs, and a group may stand for its commands;
 * names and flags must be there.
 */
export function problemOfName(line: string): string | undefined {
  const [, ...args] = wordsOf(line.replace(/^npx /, ""));
  const problem = problemOfMillrace(args);
  if (problem === undefined || problem.includes("argument missing")) return undefined;
  const isGroup = problem.includes("needs one of");
  return isGroup
    ? args.length === 1
      ? undefined
      : problem
    : problem.replace(/^millrace .* needs .*/, "") || undefined;
}

function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, plain]) => single ?? double ?? plain ?? "",
  );
}

function problemOfNpx(args: readonly string[]): string | undefined {
  const [program = "", ...rest] = args.filter((word) => word !== "-y" && word !== "--yes");
  if (program === "millrace") return problemOfMillrace(rest);
  if (program === packageManager) return problemOfScript(rest);
  return `npx ${program} is neither millrace nor ${packageManager}`;
}

function problemOfMillrace(args: readonly string[]): string | undefined {
  try {
    readCommandLine(args, COMMANDS);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function problemOfNpm([command = "", ...rest]: readonly string[]): string | undefined {
  // Flags in front of -- are npm's own.
  const end = rest.indexOf("--");
  const [script = "", ...args] = command === "run" ? rest : [command, ...rest];
  return problemOfScript([script, ...args.slice(end < 0 ? args.length : args.indexOf("--") + 1)]);
}

function problemOfScript([name = "", ...args]: readonly string[]): string | undefined {
  // pnpm's own: --recursive … pack
  if (name.startsWith("--") || OWN_COMMANDS.includes(name)) return undefined;
  const script = scripts[name === "run" ? (args[0] ?? "") : name];
  if (script === undefined) return `there is no script ${name}`;
  return problemOfNode([script.replace(/^node /, ""), ...args], []);
}

function problemOfNode(
  [file = "", ...args]: readonly string[],
  written: readonly string[],
): string | undefined {
  if (file.startsWith("--") || written.includes(file)) return undefined;
  if (!existsSync(join(ROOT, file))) return `there is no file ${file}`;
  const unknown = args
    .filter((word) => word.startsWith("--") && word !== "--")
    .map((word) => word.replace(/^--/, "").replace(/=.*$/, ""))
    .find((flag) => !readsFlag(file, flag));
  return unknown === undefined ? undefined : `${file} has no --${unknown}`;
}

/** Whether a script names a flag, or a file does that it imports or starts, two steps away. */
function readsFlag(file: string, flag: string, steps = 2): boolean {
  const text = readFileSync(join(ROOT, file), "utf8");
  const declared = `\\b${flag}: \\{\\s*(?:type|count|choice|text|flag):`;
  const named = new RegExp(`--${flag}(?![\\w-])|["']${flag}["']|${declared}`);
  if (named.test(codeOf(text))) return true;
  if (steps === 0) return false;
  const near = [...text.matchAll(/["`]([\w./-]+\.(?:ts|mjs))["`]/g)].flatMap(([, path = ""]) =>
    [dirname(file), ".", "test/simulation"].map((folder) => join(folder, path)),
  );
  return near.some((path) => existsSync(join(ROOT, path)) && readsFlag(path, flag, steps - 1));
}

function codeOf(text: string): string {
  return text.replace(/^\s*(\/\/|\*|\/\*\*).*$/gm, "");
}

function problemOfFiles(args: readonly string[]): string | undefined {
  const named = args.filter((word, at) => args[at - 1] === "-f" || word.startsWith("deploy/"));
  return named
    .filter((path) => !existsSync(join(ROOT, path)))
    .map((path) => `there is no file ${path}`)[0];
}
